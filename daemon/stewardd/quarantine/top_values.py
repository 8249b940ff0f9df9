"""The commonest invalid values, counted in bounded memory.

Exact as long as there are few different values. When the table is full what is rarest is dropped (lossy counting, Manku
and Motwani 2002): then counts are lower bounds, and the answer says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from stewardd.quarantine.record import RowViolation

MASK = "***"
_LONGEST_VALUE = 256


@dataclass(frozen=True, slots=True)
class TopValue:
    """A value that fails often."""

    field: str
    keyword: str
    value: str
    count: int


class TopValues:
    """Counts values; at most `capacity` different ones are held."""

    def __init__(self, capacity: int = 10_000) -> None:
        self._capacity = capacity
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._floor = 0
        self.approximate = False

    def copy(self) -> TopValues:
        """A counter that goes on from here by itself."""
        copied = TopValues(self._capacity)
        copied.become(self)
        return copied

    def become(self, other: TopValues) -> None:
        """Takes over what another has counted."""
        self._counts = other._counts.copy()
        self._floor, self.approximate = other._floor, other.approximate

    def add(self, violations: Iterable[RowViolation], *, masked: frozenset[str] | None) -> None:
        """Counts a row's violations. Values of `masked` fields are not told apart; None masks all."""
        for each in violations:
            if each.value is None:
                continue
            hidden = masked is None or each.field in masked
            value = MASK if hidden else each.value[:_LONGEST_VALUE]
            self._counts[each.field, each.keyword, value] += 1
        if len(self._counts) > self._capacity:
            self._drop()

    def most_common(self, number: int) -> list[TopValue]:
        """The commonest, most frequent first; among equals by name, so that the answer is always the same."""
        ordered = sorted(self._counts.items(), key=lambda item: (-item[1], item[0]))
        return [TopValue(*key, count) for key, count in ordered[:number]]

    def _drop(self) -> None:
        self.approximate = True
        while len(self._counts) > self._capacity // 2:
            self._floor += 1
            kept = {key: count for key, count in self._counts.items() if count > self._floor}
            self._counts = Counter(kept)
