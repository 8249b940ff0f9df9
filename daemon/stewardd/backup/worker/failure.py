"""An error on its way from a worker process to the daemon, which raises it again as it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stewardd import errors


@dataclass(frozen=True, slots=True)
class WorkerFailed:
    """An error that the daemon is to raise: the last message of a worker that failed."""

    reason: str
    message: str
    hint: str
    metadata: dict[str, str]
    field: str | None = None


def failure_of(error: errors.StewardError) -> WorkerFailed:
    """Returns an error as a message."""
    return WorkerFailed(error.reason, error.message, error.hint, error.metadata, error.field)


def error_of(failure: WorkerFailed) -> errors.StewardError:
    """Returns the error as it was raised in the worker."""
    cls = _by_reason(errors.StewardError).get(failure.reason, errors.ToolFailed)
    return cls(failure.message, hint=failure.hint, metadata=failure.metadata, field=failure.field)


def _by_reason(cls: type[errors.StewardError]) -> Mapping[str, type[errors.StewardError]]:
    found = {cls.reason: cls}
    for child in cls.__subclasses__():
        found |= _by_reason(child)
    return found
