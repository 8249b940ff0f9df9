"""A TCP proxy that cuts its connections when it is told to: a network as it fails, in front of a real server."""

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
    """`with Proxy(address) as proxy:` passes on what comes to `proxy.address`.

    `on_sent`, if it is set, is called with how many bytes the client has sent on its connection so far, each time that
    more came; True cuts that connection. The first bytes of a connection take `delay_s` longer.
    """

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._behind = (host, int(port))
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self.on_sent: Callable[[int], bool] = lambda _size_bytes: False
        self.connections = 0
        self.delay_s = 0.0

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                self.connections += 1
                time.sleep(self.delay_s)
                server = socket.create_connection(self._behind)
                for one, other, watched in ((client, server, True), (server, client, False)):
                    threading.Thread(
                        target=self._pass_on, args=(one, other, watched), daemon=True
                    ).start()

    def _pass_on(self, one: socket.socket, other: socket.socket, watched: bool) -> None:
        size_bytes = 0
        with contextlib.suppress(OSError):
            while data := one.recv(PIECE_BYTES):
                size_bytes += len(data)
                if watched and self.on_sent(size_bytes):
                    break
                other.sendall(data)
        for end in (one, other):
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                end.shutdown(socket.SHUT_RDWR)
            end.close()
