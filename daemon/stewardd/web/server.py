"""The HTTP server: uvicorn in the daemon's own event loop, without its signal handlers and its logging."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import uvicorn
from starlette.applications import Starlette

from stewardd.telemetry import logger
from stewardd.web.connections import Connection, Connections
from stewardd.web.listening import BACKLOG, shown, warn_of_others

log = logger("web")

_KEEP_ALIVE_S = 5
_STOP_S = 2


@dataclass(frozen=True, slots=True)
class WebBounds:
    """How many connections, how long each may take for a request, and how large its head may be."""

    max_connections: int
    request_timeout_s: float
    max_request_bytes: int


class WebServer:
    """Serves an application on sockets that are bound already. `start` once, then `stop` once."""

    def __init__(
        self, application: Starlette, sockets: list[socket.socket], bounds: WebBounds
    ) -> None:
        self._sockets = sockets
        self.addresses = shown(sockets)
        self._server = _Uvicorn(_configuration(application, bounds))
        self._serving: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Returns when connections are taken."""
        warn_of_others(self._sockets)
        self._serving = asyncio.create_task(self._server.serve(self._sockets), name="web")
        listening = asyncio.create_task(self._server.listening.wait())
        await asyncio.wait([self._serving, listening], return_when=asyncio.FIRST_COMPLETED)
        listening.cancel()
        if self._serving.done():
            await self._serving

    async def stop(self) -> None:
        """Takes no more connections, ends those that are idle, and waits two seconds for the others."""
        if self._serving is not None:
            self._server.should_exit = True
            await self._serving


class _Uvicorn(uvicorn.Server):
    """uvicorn's server as a part of a process that is somebody else's."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves the signals to the daemon."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Says when connections are taken."""
        await super().startup(sockets)
        self.listening.set()


def _configuration(application: Starlette, bounds: WebBounds) -> uvicorn.Config:
    connections = Connections(bounds.max_connections, bounds.request_timeout_s)
    protocol: Callable[..., Any] = partial(Connection, connections)
    return uvicorn.Config(
        application,
        # uvicorn asks for a class and calls it.
        http=cast("type[asyncio.Protocol]", protocol),
        ws="none",
        loop="none",
        lifespan="off",
        interface="asgi3",
        workers=1,
        backlog=BACKLOG,
        h11_max_incomplete_event_size=bounds.max_request_bytes,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_STOP_S,
        # The log is the daemon's own: of what clients send no line is written, of what fails in here each.
        log_config=None,
        log_level=logging.ERROR,
        access_log=False,
        proxy_headers=False,
        server_header=False,
    )
