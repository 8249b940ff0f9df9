"""Makes an exception of a gRPC status. Only this module reads google.rpc details.

The daemon sends a google.rpc.Status with every error: code, message, ErrorInfo, BadRequest, RetryInfo, Help. gRPC
itself sends none; so an error without one was made by gRPC, because the daemon was not reached or the connection
broke. For these two cases the hint is written here.
"""

from __future__ import annotations

from typing import cast

import grpc
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from steward_client import errors, protobuf_values
from steward_client.connection.channel import Target

BY_CODE: dict[str, type[errors.StewardError]] = {
    "ABORTED": errors.Conflict,
    "ALREADY_EXISTS": errors.AlreadyExists,
    "CANCELLED": errors.Cancelled,
    "DATA_LOSS": errors.Corrupt,
    "DEADLINE_EXCEEDED": errors.DeadlineExceeded,
    "FAILED_PRECONDITION": errors.NotNow,
    "INTERNAL": errors.Failed,
    "INVALID_ARGUMENT": errors.InvalidRequest,
    "NOT_FOUND": errors.NotFound,
    "OUT_OF_RANGE": errors.InvalidRequest,
    "PERMISSION_DENIED": errors.PermissionDenied,
    "RESOURCE_EXHAUSTED": errors.Exhausted,
    "UNAUTHENTICATED": errors.Unauthenticated,
    "UNAVAILABLE": errors.Unavailable,
    "UNIMPLEMENTED": errors.Unsupported,
    "UNKNOWN": errors.Failed,
}

# gRPC's core begins a message with these words when it could not connect.
_NO_CONNECTION = ("failed to connect", "DNS resolution failed", "Failed to create secure")

# And with these when the connection broke during a call. The code does not tell it: the same cut is UNAVAILABLE,
# UNKNOWN or INTERNAL, depending on whether a reader or a writer notices it first. Measured with a daemon killed during
# an upload: in one of eight cases grpc.aio said only "Internal error from Core", about the message it could not send.
_CONNECTION_BROKE = (
    "Attempt to send",
    "Broken pipe",
    "Connection reset",
    "Delayed close",
    "Endpoint closing",
    "GOAWAY",
    "Internal error from Core",
    "Last stream closed after sending GOAWAY",
    "No status received",
    "RST_STREAM",
    "Received RST_STREAM",
    "Socket closed",
    "Stream removed",
    "Transport ",
    "recvmsg:",
    "sendmsg:",
)
_OF_A_BROKEN_CONNECTION = (
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.UNKNOWN,
)


def from_rpc(error: grpc.RpcError, target: Target) -> errors.StewardError:
    """Returns the exception for a call to `target` that ended with a status other than OK."""
    call = cast("grpc.Call", error)
    code, details = call.code(), call.details() or ""
    try:
        status = rpc_status.from_call(call)
    except (
        ValueError
    ):  # the details name another code than the call does: then only the call counts
        status = None
    if status is not None:
        return from_status(status)
    if code is grpc.StatusCode.UNAVAILABLE and details.startswith(_NO_CONNECTION):
        return _unreachable(details, target)
    if code in _OF_A_BROKEN_CONNECTION and details.startswith(_CONNECTION_BROKE):
        return _connection_lost(code, details, target)
    return BY_CODE.get(code.name, errors.Failed)(
        details or "no message came with it", code=code.name
    )


def from_status(status: status_pb2.Status) -> errors.StewardError:
    """Returns the exception for a google.rpc.Status: that of a call, or the error of an operation."""
    info = error_details_pb2.ErrorInfo()
    bad, retry = error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
    help_ = error_details_pb2.Help()
    for detail in status.details:
        for known in (info, bad, retry, help_):
            if detail.Is(known.DESCRIPTOR):
                detail.Unpack(known)
    code = _code_name(status.code)
    metadata = dict(info.metadata)
    hint = metadata.pop("hint", "") or " ".join(link.description for link in help_.links)
    return BY_CODE.get(code, errors.Failed)(
        status.message or "no message came with it",
        code=code,
        reason=info.reason,
        hint=hint,
        metadata=metadata,
        retry_after_s=_seconds(retry),
        field_violations=tuple(
            errors.FieldViolation(violation.field, violation.description)
            for violation in bad.field_violations
        ),
    )


def _code_name(number: int) -> str:
    return code_pb2.Code.Name(number) if number in code_pb2.Code.values() else "UNKNOWN"


def _seconds(retry: error_details_pb2.RetryInfo) -> float | None:
    if not retry.HasField("retry_delay"):
        return None
    return protobuf_values.seconds(retry.retry_delay)


def _unreachable(details: str, target: Target) -> errors.Unreachable:
    # "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:1: Connection refused": the end says it.
    why = details.rsplit(": ", 1)[-1].lower()
    start = (
        f"start one with `stewardd --listen {target.address}`"
        if target.is_local
        else "see that it runs"
    )
    return errors.Unreachable(
        f"no daemon answers at {target.address}: {why}",
        hint=f"{start}, or name the right address (for the command: --server or STEWARD_SERVER)",
        metadata={"target": target.address, "details": details},
    )


def _connection_lost(code: grpc.StatusCode, details: str, target: Target) -> errors.ConnectionLost:
    return errors.ConnectionLost(
        f"the connection to {target.address} broke: {details}",
        metadata={"target": target.address, "details": details, "status": code.name},
    )
