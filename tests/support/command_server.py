"""A process that has loaded the command `steward` and forks for each run of it: see tests/support/command.py.

It takes requests on the Unix socket that its argument names: the arguments, the environment and the folder as JSON, and
the descriptors of stdin, stdout and stderr. It answers with the exit code, which is negative for a signal.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import sys
import time
from typing import Any

import rich.progress
import rich.table
import steward_client.client
import steward_client.command.root
from steward_client.command import ending, main

LOADED = (rich.progress, rich.table, steward_client.client, steward_client.command.root, ending)
_LARGEST_BYTES = 1 << 20
_LOOKS_EVERY_S = 5.0


def serve(path: str) -> None:
    """Forks for each request, and once more for its command. Ends with the process that started it."""
    parent = os.getppid()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(path)
        listener.listen(64)
        listener.settimeout(_LOOKS_EVERY_S)
        gc.freeze()  # what is loaded is not looked at again in each command
        print("listening", flush=True)
        while os.getppid() == parent:
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            if os.fork() == 0:
                listener.close()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                answer(connection)
                return
            connection.close()


def answer(connection: socket.socket) -> None:
    """Runs the command in a process of its own, and tells how it ended."""
    body, descriptors, _, _ = socket.recv_fds(connection, _LARGEST_BYTES, 3)
    command = os.fork()
    if command == 0:
        connection.close()
        become(json.loads(body), descriptors)
        sys.exit(main())
    for each in descriptors:
        os.close(each)
    _, status = os.waitpid(command, 0)
    connection.sendall(str(os.waitstatus_to_exitcode(status)).encode())


def become(request: dict[str, Any], descriptors: list[int]) -> None:
    """Makes this process what a new one would be."""
    for target, each in enumerate(descriptors):
        os.dup2(each, target)
        os.close(each)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    sys.argv = ["steward", *request["arguments"]]
    sys.stdout.reconfigure(line_buffering=os.isatty(1))  # type: ignore[union-attr]


if __name__ == "__main__":
    serve(sys.argv[1])
