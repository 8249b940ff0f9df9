"""google.longrunning.Operations, and the stream that it lacks.

DeleteOperation is UNIMPLEMENTED, as the interface allows: what was done stays on record.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace

import grpc
from google.longrunning import operations_pb2, operations_pb2_grpc
from google.protobuf.empty_pb2 import Empty
from steward.v1 import operation_pb2, operation_pb2_grpc

from stewardd.errors import Corrupt, InvalidRequest, NotServed
from stewardd.operations.operations import Operations
from stewardd.operations.state import OperationState
from stewardd.rpc import names
from stewardd.rpc.context import Context
from stewardd.rpc.operations.messages import operation_message
from stewardd.rpc.pages import page_size_of
from stewardd.telemetry import logger

log = logger("rpc")

# WaitOperation answers before an impatient proxy would cut it; clients ask again.
MAX_WAIT_S = 60.0
_NOT_LISTED = frozenset(
    {"tool_output"}
)  # long: a page of a thousand would be too large for a message
_BY_NAME = re.compile(r'name\s*=\s*"operations/(?P<prefix>[^"*]*)\*"')


class OperationsServicer(operations_pb2_grpc.OperationsServicer):
    """Serves the operations of every daemon on the repository."""

    service_name = operations_pb2.DESCRIPTOR.services_by_name["Operations"].full_name

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    def add_to(self, server: grpc.aio.Server) -> None:
        """Registers the service."""
        operations_pb2_grpc.add_OperationsServicer_to_server(self, server)

    async def GetOperation(
        self, request: operations_pb2.GetOperationRequest, context: Context
    ) -> operations_pb2.Operation:
        """Returns an operation as it is now."""
        return operation_message(
            await self._operations.get(names.parse_uuid("operations", request.name))
        )

    async def ListOperations(
        self, request: operations_pb2.ListOperationsRequest, context: Context
    ) -> operations_pb2.ListOperationsResponse:
        """Returns a page of operations, newest first."""
        if request.name not in ("", "operations"):
            raise InvalidRequest("name is not operations", field="name")
        page = await self._operations.list(
            page_size=page_size_of(request.page_size),
            page_token=request.page_token,
            id_prefix=_id_prefix(request.filter),
        )
        return operations_pb2.ListOperationsResponse(
            operations=[
                message for state in page.items if (message := _readable(state)) is not None
            ],
            next_page_token=page.next_page_token,
        )

    async def WaitOperation(
        self, request: operations_pb2.WaitOperationRequest, context: Context
    ) -> operations_pb2.Operation:
        """Returns an operation when it is done, or as it is when the time is over."""
        # Not ToTimedelta, which knows no more than some thousand million days.
        timeout = request.timeout
        wanted_s = (
            timeout.seconds + timeout.nanos / 1e9 if request.HasField("timeout") else MAX_WAIT_S
        )
        if wanted_s < 0:
            raise InvalidRequest("timeout must not be negative", field="timeout")
        state = await self._operations.wait(
            names.parse_uuid("operations", request.name), min(wanted_s, MAX_WAIT_S)
        )
        return operation_message(state)

    async def CancelOperation(
        self, request: operations_pb2.CancelOperationRequest, context: Context
    ) -> Empty:
        """Asks the operation's owner to cancel it; one that is done stays as it is."""
        await self._operations.cancel(names.parse_uuid("operations", request.name))
        return Empty()

    async def DeleteOperation(
        self, request: operations_pb2.DeleteOperationRequest, context: Context
    ) -> Empty:
        """Refuses."""
        raise NotServed("operations are not deleted")


def _readable(state: OperationState) -> operations_pb2.Operation | None:
    """Returns an operation of a listing; one that cannot be read is logged, and must not hide all the others."""
    brief = {name: value for name, value in state.metadata.items() if name not in _NOT_LISTED}
    try:
        return operation_message(replace(state, metadata=brief))
    except Corrupt as error:
        log.error("left out of a listing", operation=state.id, error=error.message)
        return None


def _id_prefix(text: str) -> str:
    """Reads a filter (AIP-160), of which one form is known: `name = "operations/019a*"`."""
    found = _BY_NAME.fullmatch(text.strip())
    if text and found is None:
        raise InvalidRequest(
            'filter is not of the form name = "operations/019a*", which is the only one',
            field="filter",
        )
    return found["prefix"] if found else ""


class OperationServicer(operation_pb2_grpc.OperationServiceServicer):
    """Streams instead of polling."""

    service_name = operation_pb2.DESCRIPTOR.services_by_name["OperationService"].full_name

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    def add_to(self, server: grpc.aio.Server) -> None:
        """Registers the service."""
        operation_pb2_grpc.add_OperationServiceServicer_to_server(self, server)

    async def WatchOperation(
        self, request: operation_pb2.WatchOperationRequest, context: Context
    ) -> AsyncIterator[operations_pb2.Operation]:
        """Sends an operation at once and each time that it changes, until it is done or the daemon stops."""
        identifier = names.parse_uuid("operations", request.name)
        async with aclosing(self._operations.watch(identifier)) as states:
            async for state in states:
                yield operation_message(state)
