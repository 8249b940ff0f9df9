"""The calls of google.longrunning.Operations, and of OperationService, which adds watching.

What an operation's progress and result are follows from its kind: `kinds` are those that the caller can read.
"""

from __future__ import annotations

from typing import Any

from google.longrunning import operations_pb2
from google.protobuf.duration_pb2 import Duration
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message
from steward.v1 import operation_pb2

from steward_client import protobuf_values
from steward_client.connection.call import Call, Page, Pages
from steward_client.operations.state import OperationKinds, OperationState

LONG_RUNNING = "/google.longrunning.Operations"
SERVICE = "/steward.v1.OperationService"


def get_operation(
    name: str, kinds: OperationKinds
) -> Call[operations_pb2.Operation, OperationState[Any, Any]]:
    """Operations.GetOperation."""
    request = operations_pb2.GetOperationRequest(name=protobuf_values.resource("operations", name))
    return operation_call(f"{LONG_RUNNING}/GetOperation", request, kinds)


def list_operations(
    page_size: int, kinds: OperationKinds, id_prefix: str = ""
) -> Pages[operations_pb2.ListOperationsResponse, OperationState[Any, Any]]:
    """Operations.ListOperations."""
    wanted = f'name = "operations/{id_prefix}*"' if id_prefix else ""

    def page(answer: operations_pb2.ListOperationsResponse) -> Page[OperationState[Any, Any]]:
        operations = tuple(map(kinds.read, answer.operations))
        return Page(operations, answer.next_page_token)

    return lambda token: Call(
        f"{LONG_RUNNING}/ListOperations",
        operations_pb2.ListOperationsRequest(
            name="operations", filter=wanted, page_size=page_size, page_token=token
        ),
        operations_pb2.ListOperationsResponse,
        page,
    )


def wait_operation(
    name: str, wait_s: float, kinds: OperationKinds
) -> Call[operations_pb2.Operation, OperationState[Any, Any]]:
    """Operations.WaitOperation, for at most so long."""
    timeout = Duration()
    timeout.FromMilliseconds(max(1, int(wait_s * 1000)))
    request = operations_pb2.WaitOperationRequest(
        name=protobuf_values.resource("operations", name), timeout=timeout
    )
    return operation_call(f"{LONG_RUNNING}/WaitOperation", request, kinds)


def watch_operation(
    name: str, kinds: OperationKinds
) -> Call[operations_pb2.Operation, OperationState[Any, Any]]:
    """OperationService.WatchOperation."""
    request = operation_pb2.WatchOperationRequest(name=protobuf_values.resource("operations", name))
    return operation_call(f"{SERVICE}/WatchOperation", request, kinds)


def cancel_operation(name: str) -> Call[Empty, None]:
    """Operations.CancelOperation."""
    request = operations_pb2.CancelOperationRequest(
        name=protobuf_values.resource("operations", name)
    )
    return Call(f"{LONG_RUNNING}/CancelOperation", request, Empty, lambda _answer: None)


def operation_call(
    path: str, request: Message, kinds: OperationKinds
) -> Call[operations_pb2.Operation, OperationState[Any, Any]]:
    """Returns the call of a method that begins an operation or tells of one."""
    return Call(path, request, operations_pb2.Operation, kinds.read)
