"""A streaming standby of an embedded server: a second real server, which can be promoted."""

from __future__ import annotations

import os
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict
from stewardd.postgres.embedded import EmbeddedServer
from stewardd.postgres.target import DatabaseTarget

TIMEOUT_S = 120


class Standby:
    """`start` copies the primary and follows it; `promote` makes it a primary. Its socket lies in `socket_folder`."""

    def __init__(self, primary: EmbeddedServer, folder: Path) -> None:
        control = primary._control
        assert control is not None
        self._account = control.cluster.account
        self._binaries = control._binaries
        self._primary = primary.target("primary")
        self._data = folder / "data"
        self.socket_folder = folder / "socket"

    def start(self) -> None:
        for made in (self._data, self.socket_folder):
            made.mkdir(mode=0o700)
            if self._account.lent:
                os.chown(made, self._account.uid, self._account.gid)
        self._run("pg_basebackup", f"--pgdata={self._data}", "--write-recovery-conf", "--checkpoint=fast",
                  f"--dbname={self._primary.conninfo}")  # fmt: skip
        options = f"-c listen_addresses= -c logging_collector=off -c unix_socket_directories={self.socket_folder}"
        log = str(self._data / "standby.log")
        self._run("pg_ctl", "start", "-w", "-D", str(self._data), "-l", log, "-o", options)

    def promote(self) -> None:
        self._run("pg_ctl", "promote", "-w", "-D", str(self._data))

    def stop(self) -> None:
        self._run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", str(self._data))

    @property
    def socket(self) -> Path:
        return self.socket_folder / ".s.PGSQL.5432"

    def target(self, **parameters: str) -> DatabaseTarget:
        """The same database as the primary's, on the standby alone."""
        return self._primary.with_parameters(host=str(self.socket_folder), **parameters)

    def either(self, **parameters: str) -> DatabaseTarget:
        """The same database on whichever of the two servers fits the parameters."""
        first = conninfo_to_dict(self._primary.conninfo)["host"]
        return self._primary.with_parameters(
            host=f"{first},{self.socket_folder}", port="5432,5432", **parameters
        )

    def _run(self, program: str, *arguments: str) -> None:
        argv = [self._binaries.program(program), *arguments]
        status, output = self._account.run(argv, timeout_s=TIMEOUT_S)
        assert status == 0, output
