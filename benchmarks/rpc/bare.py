"""Calls that judge nothing, on the daemon's own server: `python -m benchmarks.rpc.bare`.

Event loop, allocator settings, options, interceptor, metrics and log are the daemon's. GetBatch is the empty call:
nothing comes, nothing goes back. ValidatePayload reads its request, and always gives the answer of a valid payload. It
prints its address.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import grpc
import uvloop
from steward.v1 import validation_pb2 as v
from stewardd import telemetry
from stewardd.app.metrics import DaemonMetrics
from stewardd.config.server import ServerSettings
from stewardd.memory import tune_allocator
from stewardd.rpc.addresses import SocketAccess
from stewardd.rpc.context import Context
from stewardd.rpc.interceptor import CallGuard
from stewardd.rpc.server import Server, methods
from stewardd.rpc.validation.servicer import ValidationServicer

SCHEMA = "schemas/ecornell_webhook/versions/1.0"


class BareServicer:
    """Judges nothing."""

    service_name = ValidationServicer.service_name

    def add_to(self, server: grpc.aio.Server) -> None:
        """Register both methods, as the code that is generated from the contract does."""
        handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
            "GetBatch": grpc.unary_unary_rpc_method_handler(
                self._empty,
                request_deserializer=v.GetBatchRequest.FromString,
                response_serializer=v.Batch.SerializeToString,
            ),
            "ValidatePayload": grpc.unary_unary_rpc_method_handler(
                self._valid,
                request_deserializer=v.ValidatePayloadRequest.FromString,
                response_serializer=v.ValidatePayloadResponse.SerializeToString,
            ),
        }
        generic = grpc.method_handlers_generic_handler(self.service_name, handlers)
        server.add_generic_rpc_handlers((generic,))
        server.add_registered_method_handlers(self.service_name, handlers)

    async def _empty(self, _request: v.GetBatchRequest, _context: Context) -> v.Batch:
        return v.Batch()

    async def _valid(
        self, _request: v.ValidatePayloadRequest, _context: Context
    ) -> v.ValidatePayloadResponse:
        return v.ValidatePayloadResponse(valid=True, schema=SCHEMA)


async def serve() -> None:
    """Serve until the process ends."""
    settings = ServerSettings()
    servicer = BareServicer()
    calls = DaemonMetrics().add_calls(methods([servicer.service_name]))
    guard = CallGuard(settings.max_concurrent_calls, settings.max_message_bytes, calls)
    server = Server(guard, settings.max_message_bytes)
    server.add([servicer])
    access = SocketAccess(int(settings.socket_mode, 8), settings.socket_group)
    (address,) = await server.start(["127.0.0.1:0"], access)
    print(address, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    telemetry.configure("info", "json", sys.stderr)
    tune_allocator()
    uvloop.run(serve())
