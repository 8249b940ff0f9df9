"""How an error reaches a client: one table from the daemon's errors to gRPC statuses.

Details follow AIP-193: ErrorInfo with a stable reason and the domain `steward.v1`, BadRequest where a field is at
fault, RetryInfo where waiting helps, Help-like text (the hint) in ErrorInfo's metadata under `hint`.
"""

from __future__ import annotations

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from stewardd import errors

DOMAIN = "steward.v1"
# A status travels in the trailers, message and details both, and clients refuse trailers of more than 8 KiB. What an
# error quotes of a request can be longer.
MAX_TEXT_BYTES = 768

# The nearest class of an error's ancestry decides; a test holds the table complete.
CODES: dict[type[errors.StewardError], grpc.StatusCode] = {
    errors.InvalidRequest: grpc.StatusCode.INVALID_ARGUMENT,
    errors.MessageTooLarge: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.NotFound: grpc.StatusCode.NOT_FOUND,
    errors.Conflict: grpc.StatusCode.ABORTED,
    errors.ObjectExists: grpc.StatusCode.ALREADY_EXISTS,
    errors.NotNow: grpc.StatusCode.FAILED_PRECONDITION,
    errors.DatabaseStandby: grpc.StatusCode.UNAVAILABLE,
    errors.Cancelled: grpc.StatusCode.CANCELLED,
    errors.Exhausted: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.Unavailable: grpc.StatusCode.UNAVAILABLE,
    errors.Failed: grpc.StatusCode.INTERNAL,
    errors.Corrupt: grpc.StatusCode.DATA_LOSS,
    errors.DocumentTooNew: grpc.StatusCode.FAILED_PRECONDITION,
    errors.NotServed: grpc.StatusCode.UNIMPLEMENTED,
    errors.ConfigurationError: grpc.StatusCode.FAILED_PRECONDITION,
    errors.StewardError: grpc.StatusCode.INTERNAL,
}

UNEXPECTED = errors.StewardError(
    "the daemon failed in a way that it does not know",
    hint="see the daemon's log for the whole story",
)


def code_of(error: errors.StewardError) -> grpc.StatusCode:
    """Returns the gRPC code of an error."""
    return next(CODES[cls] for cls in type(error).__mro__ if cls in CODES)


def code_named(reason: str) -> grpc.StatusCode:
    """Returns the gRPC code of a stable reason, for errors that were stored; INTERNAL for one that is not known."""
    return _CODES_BY_REASON.get(reason, grpc.StatusCode.INTERNAL)


def to_status(error: errors.StewardError) -> Status:
    """Returns an error as google.rpc.Status, with its details."""
    metadata = {key: _bounded(text) for key, text in error.metadata.items()}
    info = ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=metadata)
    if error.hint:
        info.metadata["hint"] = _bounded(error.hint)
    details: list[Message] = [info]
    if error.field is not None:
        violation = BadRequest.FieldViolation(
            field=error.field, description=_bounded(error.message)
        )
        details.append(BadRequest(field_violations=[violation]))
    if error.retry_after_s is not None:
        delay = Duration()
        delay.FromNanoseconds(int(error.retry_after_s * 1e9))
        details.append(RetryInfo(retry_delay=delay))
    return Status(
        code=code_of(error).value[0],
        message=_bounded(error.message),
        details=[_packed(one) for one in details],
    )


def stored_status(reason: str, message: str, hint: str | None) -> Status:
    """Returns the status of an error that was kept by its reason and message, as an operation's is."""
    metadata = {"hint": _bounded(hint)} if hint else {}
    info = ErrorInfo(reason=reason, domain=DOMAIN, metadata=metadata)
    return Status(
        code=code_named(reason).value[0], message=_bounded(message), details=[_packed(info)]
    )


def _bounded(text: str) -> str:
    body = text.encode()
    if len(body) <= MAX_TEXT_BYTES:
        return text
    return body[:MAX_TEXT_BYTES].decode(errors="ignore") + "…"


def _packed(message: Message) -> Any:
    packed = Any()
    packed.Pack(message)
    return packed


def _by_reason(cls: type[errors.StewardError]) -> dict[str, grpc.StatusCode]:
    found = {cls.reason: next(CODES[parent] for parent in cls.__mro__ if parent in CODES)}
    for child in cls.__subclasses__():
        found |= _by_reason(child)
    return found


_CODES_BY_REASON = _by_reason(errors.StewardError)
