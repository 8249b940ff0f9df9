"""The state of an operation: folded from its documents in the repository, by a pure function.

Request, progress and result are documents of their own, each written by one writer; of results the first one counts. An
operation is done when it has a result, and never otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from stewardd.errors import StewardError
from stewardd.repository.document import LEFT_OUT_IF_EMPTY, Codec, JsonObject, Moment
from stewardd.repository.liveness import LeaseRef


@dataclass(frozen=True, slots=True)
class OperationFailure:
    """Why an operation failed: the stable reason, the message and the hint of a StewardError."""

    reason: str
    message: str
    hint: str | None = None

    @classmethod
    def of(cls, error: StewardError) -> OperationFailure:
        """Returns what is stored of an error."""
        return cls(error.reason, error.message, error.hint or None)


@dataclass(frozen=True, slots=True)
class OperationRequest:
    """What was to be done, and by which life of which daemon."""

    kind: str
    metadata: JsonObject
    owner: LeaseRef
    create_time: Moment


@dataclass(frozen=True, slots=True)
class OperationProgress:
    """How far it has come: members that replace those of the request's metadata."""

    time: Moment
    metadata: JsonObject


@dataclass(frozen=True, slots=True)
class OperationResult:
    """How it ended: a response or a failure, and the progress that it had made."""

    time: Moment
    metadata: JsonObject
    response: Annotated[JsonObject | None, LEFT_OUT_IF_EMPTY] = None
    error: Annotated[OperationFailure | None, LEFT_OUT_IF_EMPTY] = None

    def __post_init__(self) -> None:
        if (self.response is None) == (self.error is None):
            raise ValueError("it has to have a response or an error")


@dataclass(frozen=True, slots=True)
class CancelRequest:
    """The wish that the operation be cancelled, and when it came."""

    time: Moment


REQUEST_CODEC = Codec(OperationRequest)
PROGRESS_CODEC = Codec(OperationProgress)
RESULT_CODEC = Codec(OperationResult)
CANCEL_CODEC = Codec(CancelRequest)


@dataclass(frozen=True, slots=True)
class OperationState:
    """An operation as it is at one moment. `error` and `response` are both None until it is done."""

    id: str
    kind: str
    metadata: dict[str, Any]
    create_time: datetime
    update_time: datetime
    done: bool
    response: dict[str, Any] | None
    error: OperationFailure | None


def fold(
    identifier: str,
    request: OperationRequest,
    progress: OperationProgress | None,
    result: OperationResult | None,
) -> OperationState:
    """Returns the state of an operation by its documents."""
    parts = [part for part in (progress, result) if part is not None]
    metadata = dict(request.metadata)
    for part in parts:
        metadata |= part.metadata
    return OperationState(
        id=identifier,
        kind=request.kind,
        metadata=metadata,
        create_time=request.create_time,
        update_time=parts[-1].time if parts else request.create_time,
        done=result is not None,
        response=result.response if result else None,
        error=result.error if result else None,
    )
