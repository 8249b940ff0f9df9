"""Filters of batches and rows, as requests give them: an empty field leaves nothing out."""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp
from steward.v1 import validation_pb2

from stewardd.batches.filter import BatchFilter
from stewardd.batches.states import State
from stewardd.errors import InvalidRequest
from stewardd.rpc import names

MAX_WORD = 1024
MAX_ACTOR = 256
MAX_REQUEST_ID = 128
_STATES = {
    validation_pb2.ROW_STATE_OPEN: State.OPEN,
    validation_pb2.ROW_STATE_RESOLVED: State.RESOLVED,
    validation_pb2.ROW_STATE_DISCARDED: State.DISCARDED,
}
_MESSAGES = {state: message for message, state in _STATES.items()}


def batch_filter_of(message: validation_pb2.BatchFilter) -> BatchFilter:
    """Returns which batches are wanted."""
    for name in ("schema_version", "source_file", "field", "keyword"):
        word_of(getattr(message, name), field=name)
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
    """Returns a state; None for any. InvalidRequest for a number that means none."""
    if value == validation_pb2.ROW_STATE_UNSPECIFIED:
        return None
    try:
        return _STATES[value]  # type: ignore[index]
    except KeyError:
        raise InvalidRequest(f"{value} is no state of a row", field=field) from None


def state_message(state: State) -> validation_pb2.RowState.ValueType:
    """Returns a state as the contract has it."""
    return _MESSAGES[state]


def request_id_of(text: str, *, field: str = "request_id") -> str:
    """Returns a request_id (AIP-155); "" where none is given. Raises: InvalidRequest for a long one."""
    return word_of(text, field=field, longest=MAX_REQUEST_ID)


def word_of(text: str, *, field: str, longest: int = MAX_WORD) -> str:
    """Returns a short text. InvalidRequest for one that is none."""
    if len(text) > longest:
        raise InvalidRequest(f"{field} is longer than {longest} characters", field=field)
    return text


def actor_of(text: str) -> str:
    """Returns who asks, as the request says; nobody proves it yet."""
    return word_of(text, field="actor", longest=MAX_ACTOR)


def moment_of(message: Timestamp, *, field: str) -> datetime:
    """Returns a moment. InvalidRequest for one that no calendar has."""
    try:
        return message.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise InvalidRequest(f"{field} is out of range", field=field) from None


def _moment(message: Timestamp) -> datetime:
    return moment_of(message, field="filter")
