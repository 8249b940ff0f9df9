"""What the contract's server remembers, how its calls fail when they are told to, and how it pages."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from typing import Any

import grpc
from google.longrunning import operations_pb2
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status
from steward.v1 import backup_pb2, quarantine_pb2, system_pb2, validation_pb2

Fault = Callable[["Call"], None]


def succeed(call: Call) -> None:
    """What a call does that no fault waits for."""


class Call:
    """What a fault may look at and act on."""

    def __init__(self, context: grpc.ServicerContext, state: State) -> None:
        self.context = context
        self.state = state
        self.received_bytes = 0


def status(
    code: str,
    reason: str,
    message: str,
    hint: str = "",
    field: str = "",
    *,
    retry_after_s: float = 0.0,
) -> status_pb2.Status:
    """A google.rpc.Status with details, as the daemon makes them."""
    found = status_pb2.Status(code=code_pb2.Code.Value(code), message=message)
    info = error_details_pb2.ErrorInfo(
        reason=reason, domain="steward.v1", metadata={"thing": "note"}
    )
    if hint:
        info.metadata["hint"] = hint
    found.details.add().Pack(info)
    if field:
        bad = error_details_pb2.BadRequest()
        bad.field_violations.add(field=field, description=f"{field} is at fault")
        found.details.add().Pack(bad)
    if retry_after_s:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromMilliseconds(int(retry_after_s * 1000))
        found.details.add().Pack(retry)
    return found


def refuse(context: grpc.ServicerContext, *arguments: Any, **keywords: Any) -> None:
    context.abort_with_status(rpc_status.to_status(status(*arguments, **keywords)))


def failing(*arguments: Any, **keywords: Any) -> Fault:
    """A fault that refuses with that status."""
    return lambda call: refuse(call.context, *arguments, **keywords)


class State:
    """What calls leave behind, and `faults`: by method, what the next calls are to do instead of succeeding."""

    def __init__(self) -> None:
        self.faults: defaultdict[str, deque[Fault]] = defaultdict(deque)
        self.calls: Counter[str] = Counter()
        self.batches: dict[str, validation_pb2.Batch] = {}
        self.rows: dict[str, list[quarantine_pb2.QuarantinedRow]] = {}
        self.by_request: dict[str, str] = {}
        self.operations: dict[str, operations_pb2.Operation] = {}
        self.backups: dict[str, backup_pb2.Backup] = {}
        self.requests: list[Message] = []
        self.sheets: list[bytes] = []
        self.exports: list[quarantine_pb2.Export] = []
        self.export_name = "rows.csv"
        self.export_body = b"".join(b"%d,0.5\n" % number for number in range(1000))
        self.export_has_end = True
        self.export_claims: tuple[int, int] | None = None
        self.stats = quarantine_pb2.QuarantineStats()
        self.purged_rows = 3
        self.changed = threading.Condition()
        self.health = system_pb2.HealthResponse(
            state=system_pb2.HealthResponse.STATE_HEALTHY, version="9.9"
        )
        self.backup_hold = threading.Event()
        self.backup_requests: list[backup_pb2.CreateBackupRequest] = []
        self.backup_hold.set()

    def enter(self, method: str, context: grpc.ServicerContext) -> Call:
        self.calls[method] += 1
        call = Call(context, self)
        if self.faults[method]:
            self.faults[method].popleft()(call)
        return call


def page_of(items: list[Any], request: Any, id_prefix: str = "") -> tuple[list[Any], str]:
    items = [each for each in items if each.name.rpartition("/")[2].startswith(id_prefix)]
    first, size = int(request.page_token or 0), request.page_size or 50
    return items[first : first + size], str(first + size) if first + size < len(items) else ""
