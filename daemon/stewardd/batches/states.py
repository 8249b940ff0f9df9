"""The states of a batch's quarantined rows: four bytes for each row that was changed.

Rows are grouped by their number's upper bits; a group holds two sorted arrays, the lower 16 bits and the values, so
that five million rows take 20 MB whatever their numbers. Commits and checkpoints store the arrays in binary. A row
without a value is open and was never validated again. Instances are immutable: threads may read one while the
next is made, and the next shares every group that it does not change.
"""

from __future__ import annotations

import struct
import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated

from pydantic import PlainSerializer, PlainValidator

from stewardd.errors import Corrupt

MAX_ATTEMPT = (1 << 13) - 1
_MAGIC = b"STWR1\n"
_GROUP = struct.Struct("<QI")


class State(IntEnum):
    """The state of a quarantined row. The numbers are stored, so they never change."""

    OPEN = 0
    RESOLVED = 1
    DISCARDED = 2


def _stored_state(value: object) -> State:
    if type(value) is not int:  # exactly: True is no number here
        raise ValueError("is no state")
    return State(value)


# A state as a member of a stored document.
StoredState = Annotated[State, PlainValidator(_stored_state), PlainSerializer(int, return_type=int)]
# For each lower byte of a value: 1 where its two bits of state name no state.
_NAMES_NO_STATE = bytes(value & 3 not in set(State) for value in range(256))


@dataclass(frozen=True, slots=True)
class RowState:
    """State and attempt of a row. `purged`: its data was removed, and its state still counts."""

    state: State = State.OPEN
    attempt: int = 0
    purged: bool = False

    def packed(self) -> int:
        """The state in 16 bits: 13 for the attempt, one for purged, two for the state."""
        return self.attempt << 3 | self.purged << 2 | self.state


_UNTOUCHED = RowState()


def _unpacked(value: int) -> RowState:
    return RowState(State(value & 3), value >> 3, bool(value & 4))


@dataclass(frozen=True, slots=True)
class _Group:
    lows: array[int]
    values: array[int]

    def value(self, low: int) -> int | None:
        at = bisect_left(self.lows, low)
        return self.values[at] if at < len(self.lows) and self.lows[at] == low else None

    def overlaid(self, other: _Group) -> _Group:
        if (
            self.lows[-1] < other.lows[0]
        ):  # the common case of a sheet: all rows come after the old ones
            return _Group(self.lows + other.lows, self.values + other.values)
        if len(other.lows) == 1:
            return self._with_one(other.lows[0], other.values[0])
        merged = dict(zip(self.lows, self.values, strict=True))
        merged.update(zip(other.lows, other.values, strict=True))
        lows = array("H", sorted(merged))
        return _Group(lows, array("H", [merged[low] for low in lows]))

    def _with_one(self, low: int, value: int) -> _Group:
        at = bisect_left(self.lows, low)
        lows, values = self.lows[:], self.values[:]
        if at < len(lows) and lows[at] == low:
            values[at] = value
        else:
            lows.insert(at, low)
            values.insert(at, value)
        return _Group(lows, values)


class RowStates:
    """The states of rows. Rows that were never changed are not in it."""

    def __init__(self, groups: Mapping[int, _Group] | None = None) -> None:
        self._groups: Mapping[int, _Group] = groups or {}
        self._any_retried: bool | None = None

    @classmethod
    def of(cls, rows: Iterable[tuple[int, RowState]]) -> RowStates:
        """Makes states from rows, which must ascend."""
        builder = RowStatesBuilder()
        for number, row in rows:
            builder.add(number, row)
        return builder.built()

    def __len__(self) -> int:
        return sum(len(group.lows) for group in self._groups.values())

    def __getitem__(self, number: int) -> RowState:
        group = self._groups.get(number >> 16)
        value = group.value(number & 0xFFFF) if group is not None else None
        return _UNTOUCHED if value is None else _unpacked(value)

    def __iter__(self) -> Iterator[tuple[int, RowState]]:
        for high in sorted(self._groups):
            group = self._groups[high]
            for low, value in zip(group.lows, group.values, strict=True):
                yield high << 16 | low, _unpacked(value)

    def overlaid(self, other: RowStates) -> RowStates:
        """These states, replaced by the other ones where those have a value."""
        groups = dict(self._groups)
        for high, group in other._groups.items():
            mine = groups.get(high)
            groups[high] = group if mine is None else mine.overlaid(group)
        return RowStates(groups)

    def count(self, state: State) -> int:
        """How many of the changed rows are in a state."""
        return sum(
            sum((value & 3) == state for value in group.values) for group in self._groups.values()
        )

    def first(self, state: State, number: int) -> int | None:
        """The first changed row from a number on that is in a state."""
        for high in sorted(high for high in self._groups if high >= number >> 16):
            group = self._groups[high]
            begin = bisect_left(group.lows, number & 0xFFFF) if high == number >> 16 else 0
            for at in range(begin, len(group.lows)):
                if group.values[at] & 3 == state:
                    return high << 16 | group.lows[at]
        return None

    def count_purged(self, state: State) -> int:
        """How many of the purged rows are in a state."""
        wanted = RowState(state, purged=True).packed()
        return sum(
            sum((value & 7) == wanted for value in group.values) for group in self._groups.values()
        )

    def any_retried(self) -> bool:
        """Whether a row was validated again and is not resolved. Its violations may differ from those of its record."""
        if self._any_retried is None:  # each page of a filtered listing asks
            self._any_retried = any(
                value >> 3 and (value & 3) != State.RESOLVED
                for group in self._groups.values()
                for value in group.values
            )
        return self._any_retried

    def to_bytes(self) -> bytes:
        """The states in binary, little-endian."""
        parts = [_MAGIC]
        for high in sorted(self._groups):
            group = self._groups[high]
            parts.append(_GROUP.pack(high, len(group.lows)))
            parts += [_little_endian(group.lows), _little_endian(group.values)]
        return b"".join(parts)

    @classmethod
    def from_bytes(cls, body: bytes) -> RowStates:
        """Reads what `to_bytes` wrote. Raises: Corrupt."""
        if not body.startswith(_MAGIC):
            raise Corrupt("the states of a batch's rows cannot be read")
        groups: dict[int, _Group] = {}
        at = len(_MAGIC)
        try:
            while at < len(body):
                high, length = _GROUP.unpack_from(body, at)
                at += _GROUP.size
                lows = _array(body[at : at + 2 * length])
                values = _array(body[at + 2 * length : at + 4 * length])
                if not length or len(values) != length:
                    raise Corrupt("the states of a batch's rows are cut short")
                if 1 in body[at + 2 * length : at + 4 * length : 2].translate(_NAMES_NO_STATE):
                    raise Corrupt("the states of a batch's rows name one that there is not")
                groups[high] = _Group(lows, values)
                at += 4 * length
        except (struct.error, ValueError) as error:
            raise Corrupt("the states of a batch's rows cannot be read") from error
        return cls(groups)


class RowStatesBuilder:
    """Collects states of rows, which must ascend."""

    def __init__(self) -> None:
        self._groups: dict[int, _Group] = {}

    def add(self, number: int, row: RowState) -> None:
        """Adds a row. Raises: ValueError unless its number is greater than all before."""
        high, low = number >> 16, number & 0xFFFF
        group = self._groups.get(high)
        if group is None:
            group = self._groups[high] = _Group(array("H"), array("H"))
        if group.lows and group.lows[-1] >= low:
            raise ValueError(f"row {number} is out of order")
        group.lows.append(low)
        group.values.append(row.packed())

    def built(self) -> RowStates:
        """The states. Nothing may be added afterwards."""
        return RowStates(self._groups)


def _little_endian(numbers: array[int]) -> bytes:
    if sys.byteorder == "big":
        numbers = numbers[:]
        numbers.byteswap()
    return numbers.tobytes()


def _array(body: bytes) -> array[int]:
    numbers = array("H")
    numbers.frombytes(body)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
