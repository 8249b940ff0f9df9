"""The root of all errors, and the kinds of them: what a caller can do about one follows from its kind."""

from __future__ import annotations

from collections.abc import Mapping


class StewardError(Exception):
    """What all have in common.

    `metadata` goes to the client beside the reason (google.rpc.ErrorInfo); `retry_after_s` as RetryInfo; `field` names
    the request's field at fault (google.rpc.BadRequest).
    """

    reason = "INTERNAL"
    hint = ""

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        field: str | None = None,
        metadata: Mapping[str, str] | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        if hint is not None:
            self.hint = hint
        self.field = field
        self.metadata: dict[str, str] = dict(metadata or {})
        self.retry_after_s = retry_after_s


class InvalidRequest(StewardError):
    """The request cannot be right, whatever the state."""

    reason = "INVALID_REQUEST"
    hint = "correct the request; repeating it as it is will fail again"


class NotFound(StewardError):
    """There is no resource of that name."""

    reason = "NOT_FOUND"
    hint = "list what exists, and check the name"


class Conflict(StewardError):
    """Another call works on the same thing, or this one broke off; begin again."""

    reason = "CONFLICT"
    hint = "begin again"


class NotNow(StewardError):
    """The state of the system forbids it."""

    reason = "FAILED_PRECONDITION"
    hint = "bring the system into the state that the message names, and try again"


class Exhausted(StewardError):
    """A bound was reached."""

    reason = "RESOURCE_EXHAUSTED"
    hint = "wait for other work to end, or raise the bound in the configuration"


class Unavailable(StewardError):
    """Something that is needed does not answer; it may later."""

    reason = "UNAVAILABLE"
    hint = "try again later; `steward health` says what is down"


class Failed(StewardError):
    """A tool or a promise failed."""

    reason = "FAILED"
    hint = "put right what the message names, and try again"
