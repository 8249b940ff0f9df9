"""The commonest invalid values, counted in bounded memory.

Counts are exact while the different values fit in the table. When it is full, the rarest are dropped (lossy counting,
Manku and Motwani 2002): then counts are lower bounds, and the result says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from stewardd.quarantine.files.records import RowViolation

MASK = "***"
_LONGEST_VALUE = 256


@dataclass(frozen=True, slots=True)
class TopValue:
    """An invalid value, and how often it came."""

    field: str
    keyword: str
    value: str
    count: int


class TopValues:
    """Counts values. It holds at most `capacity` different ones."""

    def __init__(self, capacity: int = 10_000) -> None:
        self._capacity = capacity
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._floor = 0
        self.approximate = False

    def copy(self) -> TopValues:
        """An independent copy."""
        copied = TopValues(self._capacity)
        copied.replace_with(self)
        return copied

    def replace_with(self, other: TopValues) -> None:
        """Takes the counts of another counter in place of its own."""
        self._counts = other._counts.copy()
        self._floor, self.approximate = other._floor, other.approximate

    def add(self, violations: Iterable[RowViolation], *, is_masked: Callable[[str], bool]) -> None:
        """Counts the violations of a row. All values of a field that `is_masked` count as one value."""
        for each in violations:
            if each.value is None:
                continue
            value = MASK if is_masked(each.field) else each.value[:_LONGEST_VALUE]
            self._counts[each.field, each.keyword, value] += 1
        if len(self._counts) > self._capacity:
            self._drop()

    def most_common(self, number: int) -> list[TopValue]:
        """The commonest values, the most frequent first; equally frequent ones by name."""
        ordered = sorted(self._counts.items(), key=lambda item: (-item[1], item[0]))
        return [TopValue(*key, count) for key, count in ordered[:number]]

    def _drop(self) -> None:
        self.approximate = True
        while len(self._counts) > self._capacity // 2:
            self._floor += 1
            kept = {key: count for key, count in self._counts.items() if count > self._floor}
            self._counts = Counter(kept)
