"""Which batches, and which rows of them: the filters that listings, counts, retries and purges share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from steward.v1 import validation_pb2 as pb

from steward_client import wire


class RowState(StrEnum):
    """What has become of a quarantined row. A state that only a newer daemon knows is UNKNOWN."""

    UNKNOWN = "unknown"
    OPEN = "open"
    """Invalid as it is now."""
    RESOLVED = "resolved"
    """Corrected, and valid now."""
    DISCARDED = "discarded"
    """Given up, with a reason."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFilter:
    """Which batches. What is set is joined by AND; what is left out leaves nothing out.

    >>> BatchFilter(schema="language_session", state=RowState.OPEN)  # doctest: +ELLIPSIS
    BatchFilter(schema='language_session', ...)
    """

    schema: str | None = None
    """The type, such as `language_session`."""
    schema_version: str | None = None
    source_file: str | None = None
    """The name of the file, to the letter."""
    create_after: datetime | None = None
    """Published at this time or later. A time without a zone is taken as local, as Python does."""
    create_before: datetime | None = None
    """Published before this time."""
    field: str | None = None
    """With a violation, when it was published, in this field."""
    keyword: str | None = None
    """With a violation, when it was published, of this keyword."""
    state: RowState | str | None = None
    """With a row in this state now."""

    def to_proto(self) -> pb.BatchFilter:
        """Returns the steward.v1 BatchFilter."""
        message = pb.BatchFilter(
            schema=wire.resource("schemas", self.schema or ""),
            schema_version=self.schema_version or "",
            source_file=self.source_file or "",
            field=self.field or "",
            keyword=self.keyword or "",
            state=state_number(self.state),
        )
        if self.create_after is not None:
            message.create_after.CopyFrom(wire.timestamp(self.create_after))
        if self.create_before is not None:
            message.create_before.CopyFrom(wire.timestamp(self.create_before))
        return message
