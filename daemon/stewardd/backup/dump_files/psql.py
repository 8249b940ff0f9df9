"""psql, as it runs a dump that somebody else has made: restricted, so that no command of the dump is run.

A line of a plain dump that begins with a backslash is a command of psql: it may run a shell, read and write files of
this machine, and connect elsewhere. Under `restrict KEY` psql refuses every one of them except `unrestrict` with the
same key, and the key is random. A psql without it (before 13.22, 14.19, 15.14, 16.10 and 17.6, of August 2025) is
refused by name: a filter would have to know strings, comments and dollar quotes exactly as that psql does.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass

from stewardd.backup.restoring.complaints import without_values
from stewardd.errors import (
    DatabaseRefused,
    DumpRunsCommands,
    ExtensionsMissing,
    RolesMissing,
    StatementFailed,
    StewardError,
    StorageFull,
    ToolMissing,
)
from stewardd.postgres.tools import ClientTools
from stewardd.postgres.variables import ENGLISH, child_environment

ARGUMENTS = (
    "--no-psqlrc",
    "--quiet",
    "--set=ON_ERROR_STOP=1",
    "--set=VERBOSITY=verbose",
    "--set=SHOW_CONTEXT=never",
    "--output=/dev/null",
    "--file=-",
)
"""Its messages carry the SQLSTATE, and what the dump selects goes nowhere."""
_HELP_TIMEOUT_S = 20
_LINE = re.compile(r"psql:<stdin>:(?P<line>\d+): (?P<said>.*)")
_SERVER_ERROR = re.compile(  # its first word may be of another language
    r"(?!NOTICE|WARNING|INFO|LOG|DEBUG)[^\s:]+:  (?P<sqlstate>[0-9A-Z]{5}): (?P<said>.*)"
)
_TOLD_LIMIT = 400
_REST_LIMIT = 1 << 20
# What an error says of rows may quote them: of these classes of SQLSTATE only known words are kept.
_ABOUT_ROWS = ("21", "22", "23", "44", "P0")
_SYNTAX = re.compile(r" at or near .*", re.DOTALL)
_ERRORS: dict[str, type[StewardError]] = {
    "42501": DatabaseRefused,
    "53100": StorageFull,
}
_ROLE = re.compile(r'role ".*" does not exist')
_EXTENSION = re.compile(r'extension ".*" is not available|could not open extension control file')


async def with_restricted_psql(found: Sequence[ClientTools]) -> list[ClientTools]:
    """Those of the tools whose psql can be restricted; each is asked, since a version alone tells no build.

    Raises: ToolMissing where none can.
    """
    able = [tools for tools in found if await asyncio.to_thread(_knows_restrict, tools)]
    if not able:
        there = ", ".join(f"{tools.version} in {tools.folder}" for tools in found) or "none"
        raise ToolMissing(
            f"a plain dump could run a shell, and no psql here knows \\restrict: there is {there}",
            hint="install a psql of August 2025 or later (13.22, 14.19, 15.14, 16.10, 17.6, 18), or name its folder in "
            "`postgres.tools_dir`; an archive (pg_dump --format=custom) needs no psql",
        )
    return able


def _knows_restrict(tools: ClientTools) -> bool:
    try:
        done = subprocess.run(
            [tools.program("psql"), "--help=commands"],
            env=child_environment(ENGLISH),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_HELP_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return b"\\restrict " in done.stdout


@dataclass(frozen=True, slots=True)
class PsqlError:
    """What stopped it: the line of the dump at which the statement ends, 0 where it named none, and why."""

    line: int
    said: str
    sqlstate: str = ""

    def raised(self) -> StewardError:
        """The error that it comes to."""
        where = f"line {self.line} of the dump" if self.line else "the dump"
        if not self.sqlstate and "backslash commands are restricted" in self.said:
            return DumpRunsCommands(f"{where} has a command of psql, which could run a shell")
        if not self.sqlstate and "unrestrict" in self.said:
            return DumpRunsCommands(f"{where} tries to free psql from its restriction")
        message = f"{where}: {self.said}"
        if _ROLE.search(self.said):
            return RolesMissing(message)
        if _EXTENSION.search(self.said):
            return ExtensionsMissing(message)
        return _ERRORS.get(self.sqlstate, StatementFailed)(message)


class PsqlComplaints:
    """Takes what psql writes to stderr, in pieces, on a thread; keeps its last error, at which it stopped."""

    def __init__(self, lines_before: int) -> None:
        self._lines_before = lines_before
        self._rest = b""
        self._lock = threading.Lock()
        self._error: PsqlError | None = None
        self._other = ""

    @property
    def error(self) -> PsqlError | None:
        """The error that stopped it."""
        with self._lock:
            return self._error

    @property
    def other(self) -> str:
        """What it said first that belongs to no line of the dump, such as that it cannot connect."""
        with self._lock:
            return self._other

    def feed(self, data: bytes) -> None:
        """Takes the next bytes."""
        with self._lock:
            *lines, rest = (self._rest + data).split(b"\n")
            self._rest = rest[-_REST_LIMIT:]
            for line in lines:
                self._read(line.decode(errors="replace"))

    def _read(self, line: str) -> None:
        found = _LINE.match(line)
        if found is None:
            if line.startswith("psql: ") and not self._other:
                self._other = line[:_TOLD_LIMIT]
            return
        number = max(0, int(found["line"]) - self._lines_before)
        said = found["said"]
        if server := _SERVER_ERROR.match(said):
            sqlstate = server["sqlstate"]
            self._error = PsqlError(number, _told(sqlstate, server["said"]), sqlstate)
        elif said.startswith("error: "):
            self._error = PsqlError(number, said.removeprefix("error: ")[:_TOLD_LIMIT])


def _told(sqlstate: str, said: str) -> str:
    """What may be said of an error of the server: no value of a row."""
    return without_values(_SYNTAX.sub("", said), is_about_rows=sqlstate.startswith(_ABOUT_ROWS))[
        :_TOLD_LIMIT
    ]
