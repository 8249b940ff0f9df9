"""PostgreSQL's client tools, chosen by major version.

pg_dump refuses a server newer than itself (Debian's 15 refuses an 18), and reads every older one. So: the configured
folder, which must fit; else the nearest major that isn't below the server's, of what PATH and the usual folders hold;
else the wheel's. The wheel's come last also among equals, for what they can't do: no TLS, and gzip as their only
compression (the daemon compresses by itself).
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

NEEDED = ("pg_dump", "pg_restore")
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


class Origin(IntEnum):
    """Where tools were found, in the order of preference among equals."""

    CONFIGURED = 0
    PATH = 1
    INSTALLED = 2
    WHEEL = 3


@dataclass(frozen=True, slots=True)
class ClientTools:
    """A folder of client tools: version such as `18.6`."""

    folder: Path
    major: int
    version: str
    origin: Origin

    def program(self, name: str) -> str:
        """The path of one of them."""
        return str(self.folder / name)

    @property
    def has_tls(self) -> bool:
        """Whether they can speak TLS; the wheel's libpq is built without."""
        return self.origin is not Origin.WHEEL

    @property
    def limits(self) -> tuple[str, ...]:
        """What these can't do, in words for the preflight."""
        if not self.has_tls:
            return (
                "no TLS: a server that asks for sslmode=require is out of reach",
                "no zstd and lz4 of their own",
            )
        return ()


def choose_tools(
    server_major: int, found: Iterable[ClientTools], *, needs_tls: bool = False
) -> ClientTools:
    """The tools that fit a server best. Configured ones are used or refused, never passed over.

    Raises ToolMissing, saying what there is.
    """
    candidates = list(found)
    configured = [tools for tools in candidates if tools.origin is Origin.CONFIGURED]
    fit = [
        tools
        for tools in configured or candidates
        if tools.major >= server_major and (tools.has_tls or not needs_tls)
    ]
    if fit:
        return min(fit, key=lambda tools: (tools.major, tools.origin))
    there = ", ".join(
        sorted(f"{tools.version} in {tools.folder}" for tools in configured or candidates)
    )
    raise ToolMissing(
        f"a server of PostgreSQL {server_major} needs client tools of {server_major} or newer"
        f"{' that speak TLS' if needs_tls else ''}, "
        f"and there is {there or 'none'}",
        metadata={"server_major": str(server_major)},
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
    """The tools in a folder, or None when they are not all there, don't run, or aren't of one version."""
    versions = {_version_of(folder / name) for name in NEEDED}
    if len(versions) != 1:
        return None
    version = versions.pop()
    return ClientTools(folder, *version, origin) if version is not None else None


def _version_of(program: Path) -> tuple[int, str] | None:
    if not os.access(program, os.X_OK) or program.resolve().name == _DEBIAN_WRAPPER:
        return None
    try:
        done = subprocess.run(
            [program, "--version"], capture_output=True, timeout=_VERSION_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return parse_version(done.stdout.decode(errors="replace")) if done.returncode == 0 else None
