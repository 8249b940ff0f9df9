"""squawk, the linter of PostgreSQL migrations, as a child process: one call for many scripts.

It comes with the package squawk-cli. The scripts stand in a folder of their own while it runs, below one that a daemon
empties at its start, and what it says is told by script and line. Rules that the runner makes needless (it sets
lock_timeout, and each file is one transaction) are off.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stewardd.errors import ToolFailed, ToolMissing
from stewardd.excerpt import excerpt

_TIMEOUT_S = 120.0
_NEEDLESS = (
    "require-lock-timeout",
    "require-statement-timeout",
    "require-timeout-settings",
    "prefer-robust-stmts",
)
_FOUND = 1  # its exit code where it found something


@dataclass(frozen=True, slots=True)
class LintedScript:
    """A script to lint: whether its statements run in one transaction."""

    text: str
    in_transaction: bool


@dataclass(frozen=True, slots=True)
class SquawkFinding:
    """What squawk says of a script, by its place in the list; `line` counts from 1."""

    script: int
    line: int
    rule: str
    message: str
    help: str


def find_squawk() -> Path:
    """The program, beside the interpreter or on the path. Raises: ToolMissing."""
    beside = Path(sys.executable).with_name("squawk")
    found = str(beside) if beside.exists() else shutil.which("squawk")
    if found is None:
        raise ToolMissing(
            "squawk is not installed, which lints migrations",
            hint="install the package squawk-cli beside the daemon",
        )
    return Path(found)


async def squawk_version(program: Path) -> str:
    """What it calls itself, `squawk 2.70.0`. Raises: ToolFailed."""
    said, _ = await _call(program, "--version")
    return said.strip()


async def squawk(
    program: Path,
    scripts: Sequence[LintedScript],
    major: int,
    excluded: Sequence[str],
    scratch: Path | None = None,
) -> list[SquawkFinding]:
    """Lints scripts for a major version of PostgreSQL; they are written below `scratch`. Raises: ToolFailed."""
    found = []
    rules = ",".join([*_NEEDLESS, *excluded])
    with tempfile.TemporaryDirectory(prefix="lint-", dir=scratch) as folder:
        for in_transaction in (True, False):
            chosen = [
                n for n, script in enumerate(scripts) if script.in_transaction is in_transaction
            ]
            paths = await asyncio.to_thread(_write, Path(folder), scripts, chosen)
            if not paths:
                continue
            flags = ["--assume-in-transaction"] if in_transaction else []
            arguments = ["--reporter=json", f"--pg-version={major}", f"--exclude={rules}", *flags]
            said, _ = await _call(program, *arguments, *paths)
            found += _read(said)
    return sorted(found, key=lambda each: (each.script, each.line))


def _write(folder: Path, scripts: Sequence[LintedScript], chosen: Sequence[int]) -> list[str]:
    paths = []
    for number in chosen:
        path = folder / f"{number}.sql"
        path.write_text(scripts[number].text, encoding="utf-8")
        paths.append(str(path))
    return paths


async def _call(program: Path, *arguments: str) -> tuple[str, int]:
    process = await asyncio.create_subprocess_exec(
        str(program),
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={},
    )
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            said, complained = await process.communicate()
    except TimeoutError:
        raise ToolFailed(f"squawk did not end within {_TIMEOUT_S:g} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode not in (0, _FOUND) or (process.returncode and not said):
        why = excerpt(complained.decode("utf-8", "replace"), limit=300)
        raise ToolFailed(f"squawk ended with {process.returncode}: {why}")
    return said.decode("utf-8", "replace"), process.returncode


def _read(said: str) -> list[SquawkFinding]:
    try:
        found: list[dict[str, Any]] = json.loads(said or "[]")
        return [
            SquawkFinding(
                int(Path(each["file"]).stem),
                int(each["line"]) + 1,
                str(each["rule_name"]),
                str(each["message"]),
                str(each["help"] or ""),
            )
            for each in found
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise ToolFailed(f"squawk said what cannot be read: {error}") from None
