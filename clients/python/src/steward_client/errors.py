"""Every error that the SDK raises on purpose; the server's own reason and hint travel with it.

    StewardError
    ├── InvalidRequest      INVALID_ARGUMENT, OUT_OF_RANGE: the request cannot be right, whatever the state
    │   └── InvalidTarget   (never sent) the address of the daemon cannot be read
    ├── NotFound            NOT_FOUND: no resource of that name
    ├── AlreadyExists       ALREADY_EXISTS: a resource of that name is there
    ├── Conflict            ABORTED: another call is at the same thing, or this one came apart
    ├── NotNow              FAILED_PRECONDITION: the state of the system forbids it
    ├── Exhausted           RESOURCE_EXHAUSTED: a bound was reached
    ├── PermissionDenied    PERMISSION_DENIED: the caller may not
    ├── Unauthenticated     UNAUTHENTICATED: the caller is not known
    ├── Unsupported         UNIMPLEMENTED: the daemon does not know the call
    ├── Unavailable         UNAVAILABLE: it may work later
    │   ├── Unreachable     no daemon answers at the address
    │   └── ConnectionLost  the connection broke before the daemon had answered
    ├── DeadlineExceeded    DEADLINE_EXCEEDED: no answer within the time given
    ├── Cancelled           CANCELLED: somebody asked for it
    ├── Failed              INTERNAL, UNKNOWN: the daemon failed
    └── Corrupt             DATA_LOSS, and (in the SDK) bytes that are not what they should be

Catch by class for the kind of failure, compare `reason` (a stable UPPER_SNAKE word) for the very one. A file that
cannot be read or written raises the OSError that it always raised.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One field of the request that is at fault (google.rpc.BadRequest)."""

    field: str
    description: str


class StewardError(Exception):
    """What all have in common.

    `code` is the gRPC status by name, `reason` the server's stable word, `hint` what to do next, `metadata` further
    facts, `retry_after_s` how long the server wants to be left alone (None: it did not say).
    """

    code = "UNKNOWN"
    reason = ""
    hint = ""

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        reason: str | None = None,
        hint: str | None = None,
        metadata: Mapping[str, str] | None = None,
        retry_after_s: float | None = None,
        field_violations: tuple[FieldViolation, ...] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.code
        self.reason = reason or self.reason or self.code
        self.hint = hint or self.hint
        self.metadata: dict[str, str] = dict(metadata or {})
        self.retry_after_s = retry_after_s
        self.field_violations = field_violations


class InvalidRequest(StewardError):
    """The request cannot be right, whatever the state of the system."""

    code = "INVALID_ARGUMENT"
    hint = "correct the request; repeating it as it is will fail again"


class InvalidTarget(InvalidRequest):
    """The address of the daemon cannot be read; nothing was sent."""

    reason = "TARGET_INVALID"
    hint = "name the daemon as HOST:PORT, such as localhost:50551, or as unix:///path/to/socket"


class NotFound(StewardError):
    """There is no resource of that name."""

    code = "NOT_FOUND"
    hint = "list what exists, and check the name"


class AlreadyExists(StewardError):
    """A resource of that name is there already."""

    code = "ALREADY_EXISTS"


class Conflict(StewardError):
    """Another call is at the same thing, or this one came apart."""

    code = "ABORTED"
    hint = "begin again"


class NotNow(StewardError):
    """The state of the system forbids it."""

    code = "FAILED_PRECONDITION"
    hint = "bring the system into the state that the message names, and try again"


class Exhausted(StewardError):
    """A bound was reached."""

    code = "RESOURCE_EXHAUSTED"
    hint = "wait for other work to end, or raise the bound in the daemon's configuration"


class PermissionDenied(StewardError):
    """The caller may not."""

    code = "PERMISSION_DENIED"
    hint = "ask whoever runs the daemon for the right to do this"


class Unauthenticated(StewardError):
    """The daemon does not know the caller."""

    code = "UNAUTHENTICATED"
    hint = "connect with credentials that the daemon accepts"


class Unsupported(StewardError):
    """The daemon does not know the call."""

    code = "UNIMPLEMENTED"
    hint = "check that the address is that of a steward daemon, and that client and daemon are of one version"


class Unavailable(StewardError):
    """It does not work now, and may later."""

    code = "UNAVAILABLE"
    hint = "try again later; `steward health` says what is down"


class Unreachable(Unavailable):
    """No daemon answers at the address."""

    reason = "UNREACHABLE"


class ConnectionLost(Unavailable):
    """The connection broke before the daemon had answered; what became of the call, only the daemon knows."""

    reason = "CONNECTION_LOST"
    hint = "try again, with the same request_id where the call takes one; `steward health` says whether it is back"


class DeadlineExceeded(StewardError):
    """There was no answer within the time given."""

    code = "DEADLINE_EXCEEDED"
    hint = "give it more time (timeout_s; for the command --timeout), or see `steward health`"


class Cancelled(StewardError):
    """Somebody asked for it to be cancelled, or the daemon is stopping."""

    code = "CANCELLED"
    hint = "start it again when it is wanted"


class Failed(StewardError):
    """The daemon failed."""

    code = "INTERNAL"
    hint = "see the daemon's log for the whole story"


class Corrupt(StewardError):
    """Bytes that were read are not those that were written."""

    code = "DATA_LOSS"
    hint = "try again; if it stays, look at the storage below the daemon's repository"
