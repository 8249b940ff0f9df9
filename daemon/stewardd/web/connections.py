"""A connection of the HTTP port, with what uvicorn leaves unbounded bounded.

uvicorn bounds the head of a request in bytes, not in time, and takes any number of connections. Here a request, or the
next one, has to be there and answered in time; and where as many connections are open as may be, the one that has
waited longest for its client gives way to a new one. So connections that send nothing, or a byte now and then, keep no
scrape out. A client that does not read its answer is ended by the same clock.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

_REFUSAL = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: 21\r\nconnection: close\r\n\r\ntoo many connections\n"
)


class Connections:
    """The open connections, the one that was answered or opened longest ago first."""

    def __init__(self, max_connections: int, timeout_s: float) -> None:
        self._max_connections = max_connections
        self.timeout_s = timeout_s
        self._open: dict[Connection, None] = {}

    def __len__(self) -> int:
        return len(self._open)

    def admit(self, connection: Connection) -> bool:
        """Takes a connection in, in the place of an idle one if need be; False where all are being answered."""
        if len(self._open) >= self._max_connections:
            idle = next((each for each in self._open if each.is_idle), None)
            if idle is None:
                return False
            self.remove(idle)
            idle.abort()
        self._open[connection] = None
        return True

    def renew(self, connection: Connection) -> None:
        """Puts a connection behind all others: it has just been answered."""
        if connection in self._open:
            del self._open[connection]
            self._open[connection] = None

    def remove(self, connection: Connection) -> None:
        """Forgets a connection."""
        self._open.pop(connection, None)


class Connection(H11Protocol):
    """HTTP/1.1 on one connection. uvicorn makes it, with `open_connections` bound by the server."""

    def __init__(self, open_connections: Connections, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._open_connections = open_connections
        self._deadline: asyncio.TimerHandle | None = None
        self._is_lost = False

    @property
    def is_idle(self) -> bool:
        """Whether no request is being answered."""
        cycle: RequestResponseCycle | None = (
            self.cycle
        )  # None before the first, whatever uvicorn says
        return cycle is None or cycle.response_complete

    def abort(self) -> None:
        """Ends the connection without waiting for the client to read what was sent."""
        self.transport.abort()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Takes the connection, or refuses it at once."""
        super().connection_made(transport)
        self._start_clock()  # also of one that is refused: its client may not read why
        if not self._open_connections.admit(self):
            transport.write(_REFUSAL)
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets the connection."""
        self._is_lost = True
        self._stop_clock()
        self._open_connections.remove(self)
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Gives the client as long again for its next request."""
        self._open_connections.renew(self)
        self._start_clock()
        super().on_response_complete()

    def _start_clock(self) -> None:
        self._stop_clock()
        if self._is_lost:
            return  # an answer to nobody
        self._deadline = self.loop.call_later(self._open_connections.timeout_s, self.abort)

    def _stop_clock(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
