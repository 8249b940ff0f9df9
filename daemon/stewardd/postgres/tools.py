"""PostgreSQL's client tools, chosen by major version.

pg_dump refuses a server newer than itself (Debian's 15 refuses an 18), and reads every older one. So: the configured
folder, which must fit; else the nearest major that isn't below the server's, of what PATH and the usual folders hold;
else the wheel's. The wheel's come last also among equals, for what they can't do: no TLS, and gzip as their only
compression (the daemon compresses by itself). Whether tools can encrypt is asked of them, wherever they were found.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from stewardd.errors import ToolMissing
from stewardd.postgres.binaries import parse_version, wheel_folder
from stewardd.postgres.variables import ENGLISH, child_environment

NEEDED = ("pg_dump", "pg_restore")
SETS_TRANSACTION_TIMEOUT_FROM = 17
"""The first major version whose pg_restore sets `transaction_timeout`, which an older server does not know."""
KNOWS_TRANSACTION_SIZE_FROM = 17
"""The first major version whose pg_restore has `--transaction-size`."""
_USUAL_FOLDERS = (  # below the root
    "usr/lib/postgresql/*/bin",  # Debian
    "usr/pgsql-*/bin",  # RHEL, from postgresql.org
    "usr/bin",
    "usr/local/bin",
    "usr/local/pgsql/bin",
    "opt/homebrew/opt/postgresql@*/bin",
    "opt/homebrew/opt/libpq/bin",
    "usr/local/opt/postgresql@*/bin",
    "usr/local/opt/libpq/bin",
)
_DEBIAN_WRAPPER = (
    "pg_wrapper"  # takes the version of a local cluster: another one than it said, maybe
)
_VERSION_TIMEOUT_S = 20
_NOT_COMPILED_IN = b"not compiled in"
# Refused before anything is connected to by a libpq that can't; one that can finds no socket in no folder.
_TLS_TRIAL = "sslmode=require host=/nonexistent"
_GSS_TRIAL = "gssencmode=require sslmode=disable host=/nonexistent"
_Files = tuple[tuple[int, int, int], ...]
_inspected: dict[tuple[Path, Origin, _Files], ClientTools] = {}
"""Tools that ran, by their folder, where that was found, and the inode, size and time of change of each."""


class Origin(IntEnum):
    """Where tools were found, in the order of preference among equals."""

    CONFIGURED = 0
    PATH = 1
    INSTALLED = 2
    WHEEL = 3


@dataclass(frozen=True, slots=True)
class ClientTools:
    """A folder of client tools: version such as `18.6`; whether they can encrypt by TLS, and by Kerberos (GSSAPI)."""

    folder: Path
    major: int
    version: str
    origin: Origin
    has_tls: bool = True
    has_gss: bool = True

    def program(self, name: str) -> str:
        """The path of one of them."""
        return str(self.folder / name)

    @property
    def psql(self) -> str | None:
        """The path of their psql; None where it was not installed with them."""
        path = self.program("psql")
        return path if os.access(path, os.X_OK) else None

    @property
    def limits(self) -> tuple[str, ...]:
        """What these can't do, in words."""
        return (() if self.has_tls else ("no TLS",)) + (() if self.has_gss else ("no GSSAPI",))


def choose_tools(
    server_major: int,
    found: Iterable[ClientTools],
    *,
    needs_tls: bool = False,
    needs_gss: bool = False,
) -> ClientTools:
    """The tools that fit a server best. Configured ones are used or refused, never passed over.

    `needs_tls` and `needs_gss` say how the daemon's own connection is encrypted: a dump goes the same way. Raises
    ToolMissing, saying what there is.
    """
    candidates = list(found)
    configured = [tools for tools in candidates if tools.origin is Origin.CONFIGURED]
    fit = [
        tools
        for tools in configured or candidates
        if tools.major >= server_major
        and (tools.has_tls or not needs_tls)
        and (tools.has_gss or not needs_gss)
    ]
    if fit:
        return min(fit, key=lambda tools: (tools.major, tools.origin))
    way = "TLS" if needs_tls else "GSSAPI" if needs_gss else ""
    there = ", ".join(sorted(_described(tools) for tools in configured or candidates))
    raise ToolMissing(
        f"a server of PostgreSQL {server_major} needs client tools of {server_major} or newer"
        f"{f' that speak {way}' if way else ''}, and there is {there or 'none'}",
        hint=_unencrypted_hint(way) if way else None,
        metadata={"server_major": str(server_major)},
    )


def _described(tools: ClientTools) -> str:
    limits = f" ({', '.join(tools.limits)})" if tools.limits else ""
    return f"{tools.version} in {tools.folder}{limits}"


def _unencrypted_hint(way: str) -> str:
    parameter = "sslmode" if way == "TLS" else "gssencmode"
    return (
        f"the daemon's own connection is encrypted by {way}, and a dump must not go in the clear: install client tools "
        f"that speak {way}, or name their folder in `postgres.tools_dir`; where the network is safe, "
        f"write {parameter}=disable into the database's URL"
    )


async def find_tools(configured: Path | None) -> list[ClientTools]:
    """All complete sets of tools on this machine. Raises ToolMissing when the configured folder holds none."""
    return await asyncio.to_thread(_find, configured)


def _find(configured: Path | None) -> list[ClientTools]:
    if configured is not None:
        tools = _inspect(configured, Origin.CONFIGURED)
        if tools is None:
            raise ToolMissing(f"{configured} does not hold {' and '.join(NEEDED)} that run")
        return [tools]
    found: dict[Path, ClientTools] = {}
    for folder, origin in _places():
        real = folder.resolve()
        tools = None if real in found else _inspect(folder, origin)
        if tools is not None:
            found[real] = tools
    return list(found.values())


def _places() -> Iterable[tuple[Path, Origin]]:
    on_path = shutil.which(NEEDED[0])
    if on_path is not None:
        yield Path(on_path).parent, Origin.PATH
    for pattern in _USUAL_FOLDERS:
        for folder in sorted(Path("/").glob(pattern)):
            yield folder, Origin.INSTALLED
    wheel = wheel_folder()
    if wheel is not None:
        yield wheel, Origin.WHEEL


def _inspect(folder: Path, origin: Origin) -> ClientTools | None:
    """The tools in a folder, or None when they are not all there, don't run, or aren't of one version.

    To ask them takes four processes: those that are the same files as before are not asked again.
    """
    try:
        files = tuple((folder / name).stat() for name in NEEDED)
    except OSError:
        return None
    key = (folder, origin, tuple((each.st_ino, each.st_size, each.st_mtime_ns) for each in files))
    known = _inspected.get(key) or _asked(folder, origin)
    if known is not None:
        _inspected[key] = known
    return known


def _asked(folder: Path, origin: Origin) -> ClientTools | None:
    """As `_inspect`, by running them."""
    versions = {_version_of(folder / name) for name in NEEDED}
    if len(versions) != 1:
        return None
    version = versions.pop()
    if version is None:
        return None
    return ClientTools(
        folder,
        *version,
        origin,
        has_tls=_takes(folder / NEEDED[0], _TLS_TRIAL),
        has_gss=_takes(folder / NEEDED[0], _GSS_TRIAL),
    )


def _takes(pg_dump: Path, trial: str) -> bool:
    done = _run([str(pg_dump), f"--dbname={trial}"])
    return done is None or _NOT_COMPILED_IN not in done.stderr


def _version_of(program: Path) -> tuple[int, str] | None:
    if not os.access(program, os.X_OK) or program.resolve().name == _DEBIAN_WRAPPER:
        return None
    done = _run([str(program), "--version"])
    if done is None or done.returncode != 0:
        return None
    return parse_version(done.stdout.decode(errors="replace"))


def _run(argv: list[str]) -> subprocess.CompletedProcess[bytes] | None:
    try:
        return subprocess.run(
            argv,
            env=child_environment(ENGLISH),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_VERSION_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
