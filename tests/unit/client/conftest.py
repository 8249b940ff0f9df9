"""The command in a process of its own. What needs a daemon is in on_a_daemon."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import pytest

from tests.support.command import run_command

Steward = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def environment() -> dict[str, str]:
    """The surroundings of a command, without settings of steward."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("STEWARD", "_STEWARD"))
    }


@pytest.fixture
def steward(environment: dict[str, str], tmp_path: Path) -> Steward:
    """Runs the command as somebody would, without a terminal."""

    def run(
        *arguments: object,
        stdin: IO[Any] | None = None,
        text: str | None = None,
        cwd: Path = tmp_path,
    ) -> subprocess.CompletedProcess[str]:
        return run_command(arguments, environment, cwd, stdin=stdin, text=text)

    return run
