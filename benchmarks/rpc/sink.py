"""A bare gRPC byte sink: what grpc.aio takes in when nothing is done with it. `python -m benchmarks.rpc.sink`.

It listens where ValidateBatch would be, with the daemon's event loop, allocator settings and channel
options, parses nothing, and answers once the stream has ended. It prints its address.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
import uvloop
from stewardd.memory import tune_allocator

METHOD = "/steward.v1.ValidationService/ValidateBatch"
OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.so_reuseport", 0)]


async def swallow(requests: AsyncIterator[bytes], _context: Any) -> AsyncIterator[bytes]:
    """Count the bytes, and say how many there were."""
    size_bytes = 0
    async for request in requests:
        size_bytes += len(request)
    yield str(size_bytes).encode()


class Sink(grpc.GenericRpcHandler):
    """Knows one method, and its messages as bytes."""

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Return the handler."""
        if details.method != METHOD:
            return None
        return grpc.stream_stream_rpc_method_handler(swallow)


async def serve() -> None:
    """Serve until the process ends."""
    server = grpc.aio.server(compression=grpc.Compression.NoCompression, options=OPTIONS)
    server.add_generic_rpc_handlers((Sink(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"127.0.0.1:{port}", flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    tune_allocator()
    uvloop.run(serve())
