"""The command in a process of its own. What needs a daemon is in on_a_daemon."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

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

    def run(*arguments: object, **settings: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # type: ignore[call-overload, no-any-return]  # noqa: PLW1510 - check is among them
            [sys.executable, "-m", "steward_client.command", *map(str, arguments)],
            **{
                "capture_output": True,
                "text": True,
                "env": environment,
                "cwd": tmp_path,
                "timeout": 60,
                "stdin": subprocess.DEVNULL,
                "check": False,
                **settings,
            },
        )

    return run
