"""A process that has loaded one program and forks for each run of it: see tests/support/forking.py.

Its arguments are the Unix socket to listen on and the program. A request is the arguments, the environment and the
folder as JSON, with the descriptors of stdin, stdout and stderr. It answers with the number of the new process, and
with the exit code, which is negative for a signal, once that has ended.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

# What a run of each loads, and the module whose main() it is.
PROGRAMS = {
    "steward": (
        "rich.progress", "rich.table", "steward_client.client", "steward_client.command.root",
        "steward_client.command.ending", "steward_client.command",
    ),
    "stewardd": ("stewardd.app.daemon", "stewardd.main"),
}  # fmt: skip
LARGEST_BYTES = 1 << 20
_LOOKS_EVERY_S = 5.0


def serve(path: str, program: str) -> None:
    """Forks for each request, and once more for its program. Ends with the process that started it."""
    parent = os.getppid()
    main = load(program)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(path)
        listener.listen(64)
        listener.settimeout(_LOOKS_EVERY_S)
        gc.freeze()  # what is loaded is not looked at again in each run
        print("listening", flush=True)
        while os.getppid() == parent:
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            if os.fork() == 0:
                listener.close()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                answer(connection, program, main)
                return
            connection.close()


def load(program: str) -> Callable[[], int]:
    """Imports what the program needs, as a process of one thread, which alone may fork."""
    *needed, of_main = PROGRAMS[program]
    os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "false"  # nothing of gRPC runs before a fork
    for each in needed:
        importlib.import_module(each)
    main: Callable[[], int] = importlib.import_module(of_main).main
    threads = os.listdir("/proc/self/task")
    assert len(threads) == 1, f"loading {program} started threads: {threads}"
    return main


def answer(connection: socket.socket, program: str, main: Callable[[], int]) -> None:
    """Runs the program in a process of its own, and tells how it ended."""
    body, descriptors, _, _ = socket.recv_fds(connection, LARGEST_BYTES, 3)
    running = os.fork()
    if running == 0:
        connection.close()
        become(program, json.loads(body), descriptors)
        sys.exit(main())
    for each in descriptors:
        os.close(each)
    connection.sendall(str(running).encode())
    _, status = os.waitpid(running, 0)
    connection.sendall(str(os.waitstatus_to_exitcode(status)).encode())


def become(program: str, request: dict[str, Any], descriptors: list[int]) -> None:
    """Makes this process what a new one would be."""
    for target, each in enumerate(descriptors):
        os.dup2(each, target)
        os.close(each)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    sys.argv = [program, *request["arguments"]]
    sys.stdout.reconfigure(line_buffering=os.isatty(1))  # type: ignore[union-attr]


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2])
