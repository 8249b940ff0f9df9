"""The operations of the quarantine: their requests and their results, as messages of the contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from google.protobuf.message import Message
from steward.v1 import quarantine_pb2 as q

from stewardd.batches.states import State
from stewardd.errors import InvalidRequest
from stewardd.operations.state import OperationState
from stewardd.quarantine.changing.retry import RetryRequest
from stewardd.quarantine.operations import (
    ERASE_RESPONSE,
    PURGE_RESPONSE,
    QUARANTINE_PROGRESS,
    RETRY_RESPONSE,
)
from stewardd.quarantine.removing.data_subject import DataSubject
from stewardd.quarantine.removing.erasure import EraseRequest
from stewardd.quarantine.removing.purge import PurgeRequest
from stewardd.rpc import names
from stewardd.rpc.filters import batch_filter_of, moment_of, state_of
from stewardd.rpc.names import actor_of, word_of
from stewardd.rpc.times import timestamp


def retry_request(message: q.RetryQuarantineRequest) -> RetryRequest:
    """Returns the request of a retry. Raises: InvalidRequest."""
    return RetryRequest(
        batch_id=names.parse_batch_parent(message.parent),
        batches=batch_filter_of(message.batches),
        field=word_of(message.field, field="field") or None,
        keyword=word_of(message.keyword, field="keyword") or None,
        version=word_of(message.schema_version, field="schema_version") or None,
        dry_run=message.dry_run,
        actor=actor_of(message.actor),
    )


def purge_request(message: q.PurgeQuarantineRequest) -> PurgeRequest:
    """Returns the request of a purge. Raises: InvalidRequest."""
    if not message.HasField("before"):
        raise InvalidRequest("before is required", field="before")
    states = [state_of(each, field="states") for each in message.states]
    if None in states:
        raise InvalidRequest("states has one that is not said", field="states")
    named = frozenset(each for each in states if each is not None)
    return PurgeRequest(
        batch_id=names.parse_batch_parent(message.parent),
        batches=batch_filter_of(message.batches),
        states=named or frozenset({State.RESOLVED, State.DISCARDED}),
        before=moment_of(message.before, field="before"),
        archive=message.archive,
        dry_run=message.dry_run,
        actor=actor_of(message.actor),
    )


def erase_request(message: q.EraseSubjectRequest) -> EraseRequest:
    """Returns the request of an erasure. Raises: InvalidRequest."""
    return EraseRequest(DataSubject(message.email), message.dry_run, actor_of(message.actor))


def quarantine_metadata(state: OperationState) -> q.QuarantineOperationMetadata:
    """Returns the progress of an operation. Raises: Corrupt."""
    progress = QUARANTINE_PROGRESS.from_json(state.metadata, names.operation(state.id))
    return q.QuarantineOperationMetadata(
        method=state.kind,
        batches=progress.batches,
        rows=progress.rows,
        dry_run=progress.dry_run,
        create_time=timestamp(state.create_time),
    )


def retry_response(state: OperationState, response: Mapping[str, Any]) -> Message:
    """Returns the result of a retry. Raises: Corrupt."""
    found = RETRY_RESPONSE.from_json(response, names.operation(state.id))
    return q.RetryQuarantineResponse(
        batches=found.batches,
        judged_rows=found.judged_rows,
        resolved_rows=found.resolved_rows,
        invalid_rows=found.judged_rows - found.resolved_rows,
        unfit_batches=found.unfit_batches,
        dry_run=found.dry_run,
    )


def purge_response(state: OperationState, response: Mapping[str, Any]) -> Message:
    """Returns the result of a purge. Raises: Corrupt."""
    found = PURGE_RESPONSE.from_json(response, names.operation(state.id))
    return q.PurgeQuarantineResponse(
        batches=found.batches,
        purged_rows=sum(found.purged_by_state.values()),
        purged_by_state=found.purged_by_state,
        archived_bytes=found.archived_bytes,
        dry_run=found.dry_run,
    )


def erase_response(state: OperationState, response: Mapping[str, Any]) -> Message:
    """Returns the result of an erasure. Raises: Corrupt."""
    found = ERASE_RESPONSE.from_json(response, names.operation(state.id))
    return q.EraseSubjectResponse(**asdict(found))
