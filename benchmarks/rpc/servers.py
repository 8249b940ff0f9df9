"""The daemon and the sink as processes, from their start until their end."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

STOP_TIMEOUT_S = 90.0


class NotServing(Exception):
    """A server ended before it served; the message holds what it said."""


@contextlib.contextmanager
def running(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """End the process in any case."""
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def sink() -> Iterator[str]:
    """Run a sink; yield its address."""
    argv = [sys.executable, "-m", "benchmarks.rpc.sink"]
    with running(subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)) as process:
        yield printed_address(process)


def printed_address(process: subprocess.Popen[str]) -> str:
    """Wait until a server prints its address. Raises NotServing."""
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    if not address:
        raise NotServing("a server did not start")
    return address


@contextlib.contextmanager
def daemon(folder: Path) -> Iterator[str]:
    """Run a daemon with all its defaults, its data in the folder; yield its address."""
    with served(folder) as (_, address):
        yield address


@contextlib.contextmanager
def served(folder: Path, web: str = "") -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run such a daemon, with an HTTP port if `web` is an address; yield its process, too."""
    log = folder / "stewardd.log"
    argv = [sys.executable, "-m", "stewardd.main"]
    argv += ["--data-dir", str(folder / "data"), "--listen", "127.0.0.1:0"]
    own = {"STEWARDD_LOG__FORMAT": "json", "STEWARDD_WEB__LISTEN": web}
    environment = {**os.environ, **own}
    with log.open("w", encoding="utf-8") as writing:
        process = subprocess.Popen(argv, stderr=writing, text=True, env=environment)
    with running(process):
        yield process, logged_address(process, log, "serving")


def peak_bytes(process: subprocess.Popen[str], *, reset: bool = False) -> int:
    """Return the most memory that a process has had resident; `reset` counts anew from what it has now."""
    if reset:
        Path(f"/proc/{process.pid}/clear_refs").write_text("5", encoding="ascii")
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def logged_address(process: subprocess.Popen[str], log: Path, event_name: str) -> str:
    """Wait until the log says where the daemon serves, or its HTTP port is. Raises NotServing."""
    while True:
        ended = process.poll() is not None
        for line in log.read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(ValueError):
                event = json.loads(line)
                if event.get("event") == event_name:
                    return str(event["addresses"][0])
        if ended:
            raise NotServing(log.read_text(encoding="utf-8")[-2000:])
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.1)
