"""The HTTP server: what it bounds, and that clients that send nothing, too much or too slowly keep nobody else out."""

import asyncio
import logging
import signal
from contextlib import AsyncExitStack

import pytest
import uvicorn.server

GET = b"GET /quick HTTP/1.1\r\nhost: x\r\n\r\n"
OK = ("HTTP/1.1 200 OK", b"ok\n")
ANSWER_S = 20


async def answer(connect, request=GET):
    """Sends a request on a connection of its own; returns the status line and the body."""
    async with connect() as (reader, writer):
        writer.write(request)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), ANSWER_S)
        length = next(
            int(line.split(b":")[1])
            for line in head.splitlines()
            if line.lower().startswith(b"content-length")
        )
        return head.splitlines()[0].decode(), await reader.readexactly(length)


async def ended(reader):
    """Waits until the server has ended a connection; returns what it said before."""
    try:
        return await asyncio.wait_for(reader.read(), ANSWER_S)
    except ConnectionResetError:
        return b""


def uvicorn_state(server) -> uvicorn.server.ServerState:
    """What the server knows of its connections; a client cannot see it."""
    return server._server.server_state  # type: ignore[no-any-return]


async def test_a_request_is_answered_and_the_connection_is_kept_for_the_next(connect):
    async with connect() as (reader, writer):
        for _ in range(3):
            writer.write(GET)
            assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
            assert await reader.readexactly(3) == b"ok\n"


async def test_connections_that_send_nothing_keep_no_request_out_and_are_ended(connect):
    async with AsyncExitStack() as stack:
        silent = [await stack.enter_async_context(connect()) for _ in range(50)]
        for _ in range(5):
            assert await answer(connect) == OK
        for reader, _ in silent:
            await ended(reader)


async def test_a_head_that_comes_byte_by_byte_is_ended_when_its_time_is_over(connect):
    async with connect() as (reader, writer):

        async def drip():
            writer.write(b"GET /quick HTTP/1.1\r\n")
            while True:
                writer.write(b"x-a: b\r\n")
                await asyncio.sleep(0.02)

        dripping = asyncio.create_task(drip())
        assert await ended(reader) == b""
        dripping.cancel()
    assert await answer(connect) == OK


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"a" * 1_000_000,
        b"GET /quick HTTP/1.1\r\nhost: x\r\n" + b"x-a: b\r\n" * 200_000,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
    ids=["a line of a megabyte", "headers without an end", "TLS", "HTTP/2"],
)
async def test_a_head_that_is_too_long_or_none_is_refused(connect, head):
    async with connect() as (reader, writer):
        writer.write(head)
        said = await ended(reader)
        assert said == b"" or said.split(b" ")[1].startswith(b"40")
    assert await answer(connect) == OK


async def test_a_client_that_does_not_read_its_answer_is_ended(connect, server):
    async with connect() as (reader, writer), asyncio.timeout(ANSWER_S):
        reader._transport.pause_reading()
        writer.write(GET.replace(b"/quick", b"/large"))
        while not uvicorn_state(server).connections:
            await asyncio.sleep(0.01)
        while uvicorn_state(server).connections:
            await asyncio.sleep(0.01)


async def test_where_every_connection_is_being_answered_a_further_one_is_told_so(
    connect, slow, server
):
    async with AsyncExitStack() as stack, asyncio.timeout(ANSWER_S):
        waiting = [await stack.enter_async_context(connect()) for _ in range(8)]
        for _, writer in waiting:
            writer.write(GET.replace(b"/quick", b"/slow"))
        while len(uvicorn_state(server).tasks) < 8:
            await asyncio.sleep(0.001)
        async with connect() as (reader, _):
            assert b"503 Service Unavailable" in await ended(reader)
        slow.set()
        for reader, _ in waiting:
            assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")


async def test_a_body_is_not_read_for_long(connect):
    async with connect() as (reader, writer):
        writer.write(b"GET /quick HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000000000\r\n\r\n")
        assert b"200 OK" in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), ANSWER_S)

        async def pour():
            while True:
                writer.write(bytes(100_000))
                await writer.drain()

        pouring = asyncio.create_task(pour())
        await ended(reader)
        pouring.cancel()
        await asyncio.wait([pouring])


async def test_signals_and_the_log_are_left_as_they_were(server):
    for number in (signal.SIGTERM, signal.SIGINT):
        assert "uvicorn" not in repr(signal.getsignal(number))
    for name in ("uvicorn", "uvicorn.error"):
        assert logging.getLogger(name).handlers == []
    assert not logging.getLogger("uvicorn.error").isEnabledFor(logging.WARNING)


async def test_stopping_ends_what_is_idle_and_takes_no_more(connect, server):
    async with connect() as (reader, _):
        await server.stop()
        assert await ended(reader) == b""
    with pytest.raises(ConnectionRefusedError):
        await answer(connect)
