"""The states of a quarantined row."""

from __future__ import annotations

from enum import StrEnum

from steward.v1 import validation_pb2 as pb


class RowState(StrEnum):
    """The state of a quarantined row. One that only a newer daemon knows is UNKNOWN."""

    UNKNOWN = "unknown"
    OPEN = "open"
    """Still invalid."""
    RESOLVED = "resolved"
    """Corrected, and valid now."""
    DISCARDED = "discarded"
    """Discarded, with a reason."""

    @classmethod
    def from_proto(cls, value: int) -> RowState:
        """Reads a steward.v1 RowState."""
        return _STATES.get(value, cls.UNKNOWN)


_STATES: dict[int, RowState] = {
    pb.ROW_STATE_OPEN: RowState.OPEN,
    pb.ROW_STATE_RESOLVED: RowState.RESOLVED,
    pb.ROW_STATE_DISCARDED: RowState.DISCARDED,
}
_NUMBERS = {
    RowState.OPEN: pb.ROW_STATE_OPEN,
    RowState.RESOLVED: pb.ROW_STATE_RESOLVED,
    RowState.DISCARDED: pb.ROW_STATE_DISCARDED,
}


def state_number(state: RowState | str | None) -> pb.RowState.ValueType:
    """Returns a state, or its word, as the contract has it; None is any. Raises ValueError for a word that is none.

    >>> state_number("open") == state_number(RowState.OPEN)
    True
    """
    if state is None:
        return pb.ROW_STATE_UNSPECIFIED
    found = _NUMBERS.get(RowState(state))
    if found is None:
        raise ValueError("unknown is no state that can be asked for")
    return found
