"""Calls a unary method again and again: `python -m benchmarks.rpc.calling ADDRESS METHOD CALLS`, the request on stdin.

So many calls are always in flight. Requests and answers stay bytes, so that the client costs as little as it can. It
prints the seconds that all calls took together, as JSON, and the last answer's size.
"""

import asyncio
import json
import sys
import time

import grpc
import uvloop

IN_FLIGHT = 32


async def call(address: str, method: str, request: bytes, calls: int) -> None:
    """Make so many calls, and print how long they took."""
    left, size_bytes = calls, 0
    async with grpc.aio.insecure_channel(address) as channel:
        await channel.channel_ready()
        ask: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(method)

        async def caller() -> None:
            nonlocal left, size_bytes
            while left > 0:
                left -= 1
                size_bytes = len(await ask(request))

        began_s = time.monotonic()
        await asyncio.gather(*(caller() for _ in range(IN_FLIGHT)))
        elapsed_s = time.monotonic() - began_s
    print(json.dumps({"elapsed_s": elapsed_s, "answer_bytes": size_bytes}))


if __name__ == "__main__":
    uvloop.run(call(sys.argv[1], sys.argv[2], sys.stdin.buffer.read(), int(sys.argv[3])))
