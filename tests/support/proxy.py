"""A TCP proxy that fails as it is told to: a network as it is, in front of a real server.

It passes on what comes, and meanwhile can be told to stall (nothing passes, nobody is told: a firewall that drops), to
reset what is connected, to refuse what wants to connect, and to be slow.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Self

PIECE_BYTES = 65536
# RST instead of FIN: what a peer that was killed, or a firewall that forgot the connection, answers with.
_RESET = struct.pack("ii", 1, 0)


class Proxy:
    """`with Proxy(behind) as proxy:` passes on what comes to `proxy.address`; `behind` is HOST:PORT or a socket's path.

    `on_sent`, if it is set, is called with how many bytes the client has sent on its connection so far, each time that
    more came; True cuts that connection. `on_answered` is called with the number of a connection, from 1, and what the
    server sent on it; True cuts it before that is passed on. The first bytes of a connection take `delay_s` longer,
    every piece `pause_s`.
    """

    def __init__(self, behind: str) -> None:
        self._behind = behind
        self._listening = _listen(0)
        self._port: int = self._listening.getsockname()[1]
        self.address = f"127.0.0.1:{self._port}"
        self.on_sent: Callable[[int], bool] = lambda _size_bytes: False
        self.on_answered: Callable[[int, bytes], bool] = lambda _number, _data: False
        self.connections = 0
        self.delay_s = 0.0
        self.pause_s = 0.0
        self._flowing = threading.Event()
        self._flowing.set()
        self._open: set[_Pair] = set()
        self._guard = threading.Lock()

    @property
    def port(self) -> int:
        """The port of `address`."""
        return self._port

    def __enter__(self) -> Self:
        self._serve()
        return self

    def __exit__(self, *error: object) -> None:
        self.refuse()
        self._flowing.set()
        self.reset()

    def lead_to(self, behind: str) -> None:
        """Leads who connects from now on elsewhere; what is connected stays."""
        self._behind = behind

    def stall(self) -> None:
        """Lets nothing pass any more, in either direction; who connects is taken and hears nothing."""
        self._flowing.clear()

    def flow(self, *, forget: bool = False) -> None:
        """Lets everything pass again. What was connected in the stall stays dead without a word where it `forget`s."""
        if forget:
            for pair in self._pairs():
                pair.forgotten = True
        self._flowing.set()

    def end_forgotten(self) -> None:
        """Ends what was forgotten, on the server's side too, as the server's keepalive would in the end."""
        for pair in self._pairs():
            if pair.forgotten:
                pair.end()

    def reset(self) -> None:
        """Ends what is connected by RST."""
        for pair in self._pairs():
            pair.end()

    def refuse(self) -> None:
        """Lets nobody connect any more; what is connected stays."""
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def accept(self) -> None:
        """Lets people connect again, after `refuse`."""
        self._listening = _listen(self._port)
        self._serve()

    def _pairs(self) -> list[_Pair]:
        with self._guard:
            return list(self._open)

    def _serve(self) -> None:
        threading.Thread(target=self._accept, args=(self._listening,), daemon=True).start()

    def _accept(self, listening: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listening.accept()
                self.connections += 1
                told = (client, self.connections)
                threading.Thread(target=self._attend, args=told, daemon=True).start()

    def _attend(self, client: socket.socket, number: int) -> None:
        time.sleep(self.delay_s)
        try:
            pair = _Pair(number, client, _connect(self._behind))
        except OSError:  # nobody is behind: gone as when that server itself had been asked
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            client.close()
            return
        with self._guard:
            self._open.add(pair)
        back = threading.Thread(target=self._pass_on, args=(pair, False), daemon=True)
        back.start()
        self._pass_on(pair, True)
        back.join()
        pair.close()
        with self._guard:
            self._open.discard(pair)

    def _pass_on(self, pair: _Pair, watched: bool) -> None:
        one, other = (pair.client, pair.server) if watched else (pair.server, pair.client)
        size_bytes = 0
        with contextlib.suppress(OSError):
            while data := one.recv(PIECE_BYTES):
                size_bytes += len(data)
                if watched and self.on_sent(size_bytes):
                    break
                if not watched and self.on_answered(pair.number, data):
                    break
                self._flowing.wait()
                if pair.forgotten:
                    continue
                time.sleep(self.pause_s)
                other.sendall(data)
        if not pair.forgotten:
            pair.end()


class _Pair:
    """The two ends of one connection."""

    def __init__(self, number: int, client: socket.socket, server: socket.socket) -> None:
        self.number = number
        self.client = client
        self.server = server
        self.forgotten = False

    def end(self) -> None:
        """Wakes who reads from one of them; both are closed then, by RST."""
        for end in (self.client, self.server):
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                end.shutdown(socket.SHUT_RD)  # wakes the reader, and sends nothing

    def close(self) -> None:
        """Closes both, once nobody reads from them any more."""
        self.client.close()
        self.server.close()


def _listen(port: int) -> socket.socket:
    return socket.create_server(("127.0.0.1", port), backlog=256)


def _connect(address: str) -> socket.socket:
    if address.startswith("/"):
        made = socket.socket(socket.AF_UNIX)
        made.connect(address)
        return made
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)))
