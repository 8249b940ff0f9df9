"""Feeds a client tool with a stream, so that it never takes a part of it for the whole."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, suppress

from stewardd.backup.reading.ahead import one_ahead
from stewardd.backup.worker.client_tool import ClientTool


async def feed(
    tool: ClientTool,
    chunks: AsyncIterator[bytes],
    on_chunk: Callable[[int], None],
    *,
    reads_all: bool = True,
) -> None:
    """Writes a dump to a tool, reading on meanwhile; `on_chunk` gets the size of each chunk.

    The end of its input is written only behind the whole dump: where that fails, the tool is killed first, so that
    it never takes a part for the whole. A tool that has had enough is not written to any more, but the dump is read
    to its end, where its own checksum is compared; unless `reads_all` is off.
    """
    is_taken = True
    try:
        async with aclosing(one_ahead(chunks)) as ahead:
            async for chunk in ahead:
                is_taken = is_taken and await asyncio.to_thread(_write_all, tool, chunk)
                if not is_taken and not reads_all:
                    break
                on_chunk(len(chunk))
        with suppress(BrokenPipeError):
            await asyncio.to_thread(tool.stdin.close)
    except BaseException:
        tool.kill()
        raise


def _write_all(tool: ClientTool, chunk: bytes) -> bool:
    """Writes a chunk; returns whether the tool took it. Blocks."""
    left = memoryview(chunk)
    try:
        while left:
            left = left[tool.stdin.write(left) or 0 :]
    except BrokenPipeError:
        return False
    return True
