"""Where a command writes a file: a path, which is not written over unless --force says so; or `-`, which is stdout.

What goes to stdout is first gathered and checked, in a temporary file: so that it too comes whole or not at all.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click

from steward_client.command.session import Session

STDOUT = "-"


def take_stdout(session: Session, option: str) -> None:
    """Says that a file goes to stdout: what people read goes to stderr from here on. Raises UsageError with JSON."""
    if session.is_json:
        raise click.UsageError(f"{option} - and --output json both want stdout: name a file")
    session.is_stdout_taken = True


@contextlib.contextmanager
def gathered() -> Iterator[Path]:
    """Gives a path to write to; what is there in the end goes to stdout, unless an exception comes first."""
    with tempfile.TemporaryDirectory(prefix="steward-") as folder:
        path = Path(folder) / "stdout"
        yield path
        send(path)


def send(path: Path) -> None:
    """Writes a file to stdout."""
    sys.stdout.flush()
    with path.open("rb") as source:
        shutil.copyfileobj(source, sys.stdout.buffer)
    sys.stdout.buffer.flush()
