"""Filters of batches and rows, as requests give them. An empty field takes everything."""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp
from steward.v1 import validation_pb2

from stewardd.batches.filter import BatchFilter
from stewardd.batches.states import State
from stewardd.errors import InvalidRequest
from stewardd.rpc import names

_STATES = {
    validation_pb2.ROW_STATE_OPEN: State.OPEN,
    validation_pb2.ROW_STATE_RESOLVED: State.RESOLVED,
    validation_pb2.ROW_STATE_DISCARDED: State.DISCARDED,
}
_MESSAGES = {state: message for message, state in _STATES.items()}


def batch_filter_of(message: validation_pb2.BatchFilter) -> BatchFilter:
    """Returns which batches are wanted."""
    for name in ("schema_version", "source_file", "field", "keyword"):
        names.word_of(getattr(message, name), field=name)
    return BatchFilter(
        schema=names.parse_schema_id(message.schema, field="schema") if message.schema else None,
        schema_version=message.schema_version or None,
        source_file=message.source_file or None,
        create_after=_moment(message.create_after) if message.HasField("create_after") else None,
        create_before=_moment(message.create_before) if message.HasField("create_before") else None,
        field=message.field or None,
        keyword=message.keyword or None,
        state=state_of(message.state),
    )


def state_of(value: int, *, field: str = "state") -> State | None:
    """Returns a state; None for any. Raises: InvalidRequest for an unknown number."""
    if value == validation_pb2.ROW_STATE_UNSPECIFIED:
        return None
    try:
        return _STATES[value]  # type: ignore[index]
    except KeyError:
        raise InvalidRequest(f"{value} is no state of a row", field=field) from None


def state_message(state: State) -> validation_pb2.RowState.ValueType:
    """Returns a state as the contract has it."""
    return _MESSAGES[state]


def moment_of(message: Timestamp, *, field: str) -> datetime:
    """Returns a moment. Raises: InvalidRequest for one that no calendar has."""
    try:
        return message.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise InvalidRequest(f"{field} is out of range", field=field) from None


def _moment(message: Timestamp) -> datetime:
    return moment_of(message, field="filter")
