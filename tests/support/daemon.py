"""A real stewardd in a process of its own, on a port that it chose, with its log kept."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Self

from tests.support.clusters import lay_cluster
from tests.support.forking import Forked, changes_python, fork

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 60.0


# Backups are verified where a test asks for it, and not after each of the hundred that others make.
_USUAL = {"STEWARDD_LOG__FORMAT": "json", "STEWARDD_BACKUP__VERIFICATION__AUTOMATIC": "false"}


class DaemonDied(AssertionError):
    """The daemon ended when it should not have; the message holds its log."""


class Daemon:
    """`with Daemon(folder) as daemon:` starts one and stops it; `kill` and `start` may come in between."""

    def __init__(
        self,
        data_dir: Path,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        wrapper: Sequence[str] = (),
        cwd: Path | None = None,
    ) -> None:
        self.data_dir = data_dir
        self.arguments = arguments
        self.environment = {**os.environ, **_USUAL, **(environment or {})}
        self.wrapper = tuple(wrapper)
        self.cwd = cwd
        self.process: subprocess.Popen[str] | Forked | None = None
        self.addresses: list[str] = []
        self.web_addresses: list[str] = []
        self.log: list[dict[str, Any]] = []
        self.raw: list[str] = []
        self._reader: threading.Thread | None = None
        self._serving = threading.Event()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *error: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.stop()

    @property
    def address(self) -> str:
        return self.addresses[0]

    @property
    def text(self) -> str:
        return "".join(self.raw)

    def start(self, *, wait: bool = True) -> Self:
        listen = [] if "--listen" in self.arguments else ["--listen", "127.0.0.1:0"]
        self._serving.clear()
        self.log, self.raw = [], []
        if self._has_a_new_cluster():
            lay_cluster(self.data_dir)
        words = ["--data-dir", str(self.data_dir), *listen, *self.arguments]
        reading, writing = os.pipe()
        with os.fdopen(writing, "w") as stderr:
            self.process = self._spawn(words, stderr)
        self._reader = threading.Thread(target=self._read, args=(reading,), daemon=True)
        self._reader.start()
        if wait:
            self.wait_serving()
        return self

    def _has_a_new_cluster(self) -> bool:
        """Whether this start would make the embedded server's cluster, of the usual settings."""
        is_usual = not self.wrapper and not {"--config", "--database-url"} & set(self.arguments)
        named = any(name.startswith("STEWARDD_POSTGRES") for name in self.environment)
        return is_usual and not named and not self.data_dir.exists()

    def _spawn(self, words: list[str], stderr: IO[str]) -> subprocess.Popen[str] | Forked:
        if self.wrapper or changes_python(self.environment):
            return subprocess.Popen(
                [*self.wrapper, sys.executable, "-m", "stewardd.main", *words],
                stderr=stderr, stdout=subprocess.DEVNULL, env=self.environment, cwd=self.cwd, text=True,
            )  # fmt: skip
        with Path(os.devnull).open("w") as nothing:
            files = (0, nothing, stderr)
            return fork("stewardd", words, self.environment, self.cwd or Path.cwd(), files)

    def wait_serving(self, timeout_s: float = START_TIMEOUT_S) -> None:
        deadline = time.monotonic() + timeout_s
        assert self.process is not None
        while not self._serving.wait(0.02):
            if self.process.poll() is not None:
                self._reader.join(5)  # type: ignore[union-attr]
                raise DaemonDied(f"exit {self.process.returncode}\n{self.text}")
            if time.monotonic() > deadline:
                raise DaemonDied(f"not serving after {timeout_s:g} s\n{self.text}")

    def _read(self, descriptor: int) -> None:
        with os.fdopen(descriptor) as lines:
            for line in lines:
                self._note(line)

    def _note(self, line: str) -> None:
        self.raw.append(line)
        try:
            entry = json.loads(line)
        except ValueError:
            return
        self.log.append(entry)
        if entry.get("event") == "web listening":
            self.web_addresses = entry["addresses"]
        if entry.get("event") == "serving":
            self.addresses = entry["addresses"]
            self._serving.set()

    def events(self, name: str) -> list[dict[str, Any]]:
        return [entry for entry in self.log if entry.get("event") == name]

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def wait(self, timeout_s: float = STOP_TIMEOUT_S) -> int:
        assert self.process is not None
        try:
            code = self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise DaemonDied(f"still there after {timeout_s:g} s\n{self.text}") from None
        assert self._reader is not None
        self._reader.join(5)
        return code

    def stop(self) -> int:
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.wait()

    def children(self) -> Iterator[int]:
        """The processes that the daemon started and that are its own."""
        assert self.process is not None
        for status in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = status.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == self.process.pid:
                yield int(status.parent.name)
