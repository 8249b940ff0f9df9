"""An HTTP server with a few answers of its own, on a free port."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from stewardd.web.listening import bind
from stewardd.web.server import WebBounds, WebServer

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[], AbstractAsyncContextManager[Connection]]
BOUNDS = WebBounds(max_connections=8, request_timeout_s=0.5, max_request_bytes=4096)


@pytest.fixture
def slow() -> asyncio.Event:
    """What /slow waits for."""
    return asyncio.Event()


@pytest.fixture
async def server(slow: asyncio.Event) -> AsyncIterator[WebServer]:
    async def quick(_: Request) -> PlainTextResponse:
        return PlainTextResponse("ok\n")

    async def waiting(_: Request) -> PlainTextResponse:
        await slow.wait()
        return PlainTextResponse("at last\n")

    async def large(_: Request) -> PlainTextResponse:
        return PlainTextResponse("x" * 50_000_000)

    app = Starlette(
        routes=[Route("/quick", quick), Route("/slow", waiting), Route("/large", large)]
    )
    running = WebServer(app, bind("127.0.0.1:0"), BOUNDS)
    await running.start()
    yield running
    await running.stop()


@pytest.fixture
def connect(server: WebServer) -> Connect:
    """Opens a connection, and ends it with the block."""
    host, _, port = server.addresses[0].rpartition(":")

    @asynccontextmanager
    async def opened() -> AsyncIterator[Connection]:
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            yield reader, writer
        finally:
            writer.close()
            writer.transport.abort()

    return opened
