"""Starting and stopping one server through pg_ctl, and its log.

Patience is the point. A server in crash recovery is not a failed one, so that only a postmaster that is gone counts as
failed; a stop goes from smart (clients may finish) by fast (they are sent away) to immediate (recovery at the next
start), each with its own time. Everything here blocks, save `wait_until_ready`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from stewardd.errors import DatabaseDown, ToolFailed
from stewardd.excerpt import Excerpt, excerpt
from stewardd.postgres.binaries import Binaries
from stewardd.postgres.cluster import Cluster
from stewardd.postgres.postmaster import live_postmaster, remove_if_stale
from stewardd.postgres.sockets import PORT, make_socket_folder, remove_socket_folder
from stewardd.telemetry import logger

log = logger("postgres")

_POLL_S = 0.05
_LAUNCH_WAIT_S = 5
_LAUNCH_ATTEMPTS = 4
# Processes of a killed postmaster hold its memory and its files until they notice: seconds at most.
_DEAD_HOLD_ON = ("pre-existing shared memory block", "lock file")
_SMART_TIMEOUT_S = 5
_IMMEDIATE_TIMEOUT_S = 30
_CRASH_TIMEOUT_S = 10.0
_KILL_TIMEOUT_S = 10.0
_LOG_FILES_KEPT = 5
_LOG_FILE_MB = 10
_READ_BYTES = 1 << 16


class ServerControl:
    """The verbs of one server: adopt, launch, wait_until_ready, stop."""

    def __init__(
        self,
        cluster: Cluster,
        binaries: Binaries,
        settings: Mapping[str, str],
        start_timeout_s: float,
        stop_timeout_s: float,
    ) -> None:
        self.cluster = cluster
        self.socket_folder = cluster.root / "socket"
        self._binaries = binaries
        self._settings = dict(settings)
        self._start_timeout_s = start_timeout_s
        self._stop_timeout_s = stop_timeout_s
        self._pruned_at = 0.0

    @property
    def programs(self) -> Path:
        """Where the server's programs are."""
        return self._binaries.folder

    def adopt(self) -> bool:
        """Takes over a postmaster that runs already. Returns whether there was one."""
        found = live_postmaster(self.cluster.data)
        if found is not None and found.status == "stopping":
            self.stop()  # a stop that another began may wait for clients for ever: this one is seen through
            return False
        if found is not None and found.socket_dir is None:
            time.sleep(1)  # caught in its first milliseconds: the file is about to say more
            found = live_postmaster(self.cluster.data)
        if found is None or found.socket_dir is None:
            return False
        self.socket_folder = found.socket_dir
        return True

    def launch(self) -> None:
        """Starts the server; it may still be recovering on return. Raises ToolFailed with the log's end."""
        if remove_if_stale(self.cluster.data):
            log.warning(
                "stale postmaster.pid removed",
                because="its process number belongs to another program",
            )
        self.socket_folder = make_socket_folder(self.cluster)
        self.cluster.write_settings(self._server_settings())
        for attempt in range(1, _LAUNCH_ATTEMPTS + 1):
            started_log = self.cluster.log / "startup.log"
            started_log.unlink(missing_ok=True)
            status, output = self._pg_ctl(
                "start", "-w", "-t", str(_LAUNCH_WAIT_S), "-l", str(started_log)
            )
            if status == 0 or live_postmaster(self.cluster.data) is not None:
                return
            if not any(sign in self._log_excerpt() for sign in _DEAD_HOLD_ON):
                break
            time.sleep(attempt)
        raise ToolFailed(
            f"{self.cluster.called} does not start: {excerpt(output, limit=200)}; {self._log_excerpt()}",
            hint=f"its whole log is in {self.cluster.log}",
        )

    async def wait_until_ready(self) -> None:
        """Waits until the server takes connections: recovery may be long. Raises ToolFailed, DatabaseDown."""
        deadline = time.monotonic() + self._start_timeout_s
        while time.monotonic() < deadline:
            found = live_postmaster(self.cluster.data)
            if found is None:
                raise ToolFailed(
                    f"{self.cluster.called} ended while it started: {self._log_excerpt()}",
                    hint=f"its whole log is in {self.cluster.log}",
                )
            if found.status in ("ready", "standby"):
                return
            await asyncio.sleep(_POLL_S)
        raise DatabaseDown(
            f"{self.cluster.called} is still recovering after {self._start_timeout_s:.0f} seconds",
            hint=f"look at its log in {self.cluster.log}; it goes on recovering by itself",
        )

    def stop(self) -> None:
        """Stops the server, patiently and then less so. Nothing to do when it isn't running. Raises ToolFailed."""
        modes = (
            ("smart", _SMART_TIMEOUT_S),
            ("fast", round(self._stop_timeout_s)),
            ("immediate", _IMMEDIATE_TIMEOUT_S),
        )
        for mode, timeout_s in modes:
            if live_postmaster(self.cluster.data) is None:
                break
            self._pg_ctl("stop", "-w", "-m", mode, "-t", str(max(timeout_s, 1)))
        if live_postmaster(self.cluster.data) is not None:
            raise ToolFailed(f"{self.cluster.called} does not stop: {self._log_excerpt()}")
        remove_socket_folder(self.cluster)

    def prune_logs(self) -> None:
        """Removes the oldest log files, once a minute. The server starts a new one every few megabytes."""
        if time.monotonic() - self._pruned_at < 60:
            return
        self._pruned_at = time.monotonic()
        for old in sorted(self.cluster.log.glob("postgresql-*.log"))[:-_LOG_FILES_KEPT]:
            old.unlink(missing_ok=True)

    def _pg_ctl(self, verb: str, *arguments: str) -> tuple[int, str]:
        argv = [
            self._binaries.program("pg_ctl"),
            verb,
            "-s",
            "-D",
            str(self.cluster.data),
            *arguments,
        ]
        try:
            return self.cluster.account.run(
                argv, timeout_s=self._start_timeout_s + self._stop_timeout_s + 60
            )
        except subprocess.TimeoutExpired:
            return 1, f"pg_ctl {verb} did not end"

    def _server_settings(self) -> dict[str, str]:
        ours = {
            "listen_addresses": "",
            "port": str(PORT),
            "unix_socket_directories": str(self.socket_folder),
            "unix_socket_permissions": "0700",
        }
        logs = {
            "logging_collector": "on",
            "log_directory": str(self.cluster.log),
            "log_filename": "postgresql-%Y%m%d-%H%M%S.log",
            "log_file_mode": "0600",
            "log_rotation_size": f"{_LOG_FILE_MB}MB",
            "log_rotation_age": "0",
            "log_timezone": "UTC",
        }
        return logs | self._settings | ours

    def _log_excerpt(self) -> str:
        """What the newest logs give as the reason. The server writes no password there.

        Two of them: pg_ctl's own holds what came before the server began to write its log by itself.
        """
        files = sorted(self.cluster.log.glob("*.log"), key=lambda file: file.stat().st_mtime)
        said = [f"{file.name}: {_read_excerpt(file)}" for file in files[-2:]]
        return "; ".join(said) or "it wrote no log"


def end_at_once(cluster: Cluster) -> None:
    """Ends the server of a cluster that nobody keeps, without its programs: first as a crash, then by force. Blocks."""
    for sign, timeout_s in ((signal.SIGQUIT, _CRASH_TIMEOUT_S), (signal.SIGKILL, _KILL_TIMEOUT_S)):
        found = live_postmaster(cluster.data)
        if found is None:
            break
        with suppress(ProcessLookupError):
            os.kill(found.pid, sign)
        deadline = time.monotonic() + timeout_s
        while live_postmaster(cluster.data) is not None and time.monotonic() < deadline:
            time.sleep(_POLL_S)
    remove_socket_folder(cluster)


def _read_excerpt(file: Path) -> str:
    """Of a log that is long, the last part: it may go back for weeks."""
    found = Excerpt()
    with file.open("rb") as log_file:
        log_file.seek(max(0, file.stat().st_size - _READ_BYTES))
        while chunk := log_file.read(_READ_BYTES):
            found.feed(chunk)
    return found.text() or "it is empty"
