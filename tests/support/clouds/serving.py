"""Starts a server on a free port of loopback, in a process of its own, and waits until it answers."""

from __future__ import annotations

import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager

START_TIMEOUT_S = 60.0


@contextmanager
def serving(command: Callable[[int], list[str]]) -> Iterator[str]:
    """Runs the server that `command` starts on a port, and gives its URL while it answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(command(port), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _await(server, url)
        yield url
    finally:
        server.terminate()
        server.wait()


def _await(server: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            urllib.request.urlopen(url).close()
        except urllib.error.HTTPError as refusal:
            refusal.close()
            return
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError(f"no server at {url} after {START_TIMEOUT_S} s, status {server.poll()}")
