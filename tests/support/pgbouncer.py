"""A real PgBouncer in transaction mode, in front of a real server."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Self

from psycopg.conninfo import conninfo_to_dict
from stewardd.postgres.accounts import choose_account
from stewardd.postgres.target import DatabaseTarget

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
START_TIMEOUT_S = 20

_CONFIGURATION = """
[databases]
* = host={host} port=5432
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {users}
pool_mode = transaction
default_pool_size = {size}
server_login_retry = 0.2
logfile = {log}
"""


class PgBouncer:
    """`with PgBouncer(target, folder) as bouncer:` stands before the server of the target, at `bouncer.port`.

    `sessions` is how many connections it keeps to the server, for all of its clients together.
    """

    def __init__(self, behind: DatabaseTarget, folder: Path, sessions: int = 2) -> None:
        assert PROGRAM is not None
        parts = conninfo_to_dict(behind.conninfo)
        self._folder = folder
        self._account = choose_account(None)
        self.port = _free_port()
        users = folder / "users.txt"
        users.write_text(f'"{parts["user"]}" "{parts["password"]}"\n')
        self._file = folder / "pgbouncer.ini"
        self._file.write_text(
            _CONFIGURATION.format(
                host=parts["host"],
                port=self.port,
                users=users,
                size=sessions,
                log=folder / "pgbouncer.log",
            )
        )
        if self._account.lent:
            for path in (folder, users, self._file):
                os.chown(path, self._account.uid, self._account.gid)

    def __enter__(self) -> Self:
        assert PROGRAM is not None
        self._process = subprocess.Popen(
            [PROGRAM, "-q", str(self._file)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            user=self._account.uid if self._account.lent else None,
            group=self._account.gid if self._account.lent else None,
            extra_groups=[] if self._account.lent else None,
        )
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return self
            except OSError:
                assert self._process.poll() is None, self.log
                assert time.monotonic() < deadline, self.log
                time.sleep(0.05)

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.wait()

    @property
    def log(self) -> str:
        """What it wrote."""
        file = self._folder / "pgbouncer.log"
        return file.read_text() if file.exists() else ""


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
