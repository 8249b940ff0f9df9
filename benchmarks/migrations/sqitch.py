"""sqitch, which runs plain SQL as we do: its status of as many changes as ours. Used where it is installed."""

import os
import shutil
import subprocess
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

from benchmarks.backup.programs import NotThere

_TIMEOUT_S = 600
_PLAN = "%syntax-version=1.0.0\n%project=bench\n\n"
_CHANGE = "change_{n} 2026-01-01T00:00:00Z bench <bench@example.org> # Number {n}.\n"
_SCRIPT = "ALTER TABLE things ADD COLUMN column_{n} text;\n"


class Sqitch:
    """A project of so many changes, all of which a database has on record."""

    def __init__(self, folder: Path, conninfo: str, tools: Path, count: int) -> None:
        """Writes the project, and records its changes without running them. Raises NotThere."""
        program = shutil.which("sqitch")
        if program is None:
            raise NotThere("it is not installed")
        parts = conninfo_to_dict(conninfo)
        self._folder = folder
        self._command = [program]
        self._target = f"db:pg://{parts['user']}@/{parts['dbname']}"
        self._environment = {
            **os.environ,
            "PGHOST": str(parts["host"]),
            "PGPASSWORD": str(parts["password"]),
            "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
            "SQITCH_FULLNAME": "bench",
            "SQITCH_EMAIL": "bench@example.org",
        }
        self._write(count)
        self._run("deploy", "--log-only", self._target)

    def status(self) -> None:
        """Ask for the status."""
        self._run("status", self._target)

    def _write(self, count: int) -> None:
        for name in ("deploy", "revert", "verify"):
            (self._folder / name).mkdir(parents=True)
        (self._folder / "sqitch.conf").write_text("[core]\n\tengine = pg\n", encoding="utf-8")
        numbers = range(1, count + 1)
        plan = _PLAN + "".join(_CHANGE.format(n=n) for n in numbers)
        (self._folder / "sqitch.plan").write_text(plan, encoding="utf-8")
        for n in numbers:
            script = self._folder / "deploy" / f"change_{n}.sql"
            script.write_text(_SCRIPT.format(n=n), encoding="utf-8")

    def _run(self, *arguments: str) -> None:
        subprocess.run(
            [*self._command, *arguments],
            cwd=self._folder,
            env=self._environment,
            check=True,
            capture_output=True,
            timeout=_TIMEOUT_S,
        )
