"""What an operation is like: folded from what the repository holds of it, by a pure function.

Request, progress and result are objects of their own, each written by one writer; of results the first one counts. An
operation is done when it has a result, and never otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from stewardd.errors import StewardError
from stewardd.repository.standing import LeaseRef


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an operation failed, in what a StewardError keeps: a stable reason, a message, a hint."""

    reason: str
    message: str
    hint: str | None = None

    @classmethod
    def of(cls, error: StewardError) -> Failure:
        """What is kept of an error."""
        return cls(error.reason, error.message, error.hint or None)


@dataclass(frozen=True, slots=True)
class Request:
    """What was to be done, and by which life of which daemon."""

    kind: str
    metadata: dict[str, Any]
    owner: LeaseRef
    create_time: datetime


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it has come: what overlays the request's metadata."""

    time: datetime
    metadata: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Result:
    """How it ended: a response or a failure, and the progress that it had made."""

    time: datetime
    metadata: dict[str, Any]
    response: dict[str, Any] | None = None
    error: Failure | None = None


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
    error: Failure | None


def fold(
    identifier: str, request: Request, progress: Progress | None, result: Result | None
) -> OperationState:
    """What an operation is like, by what is known of it."""
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
