"""The log: what it must not tell, and that it fails nobody."""

import importlib.util
import io
import logging
import subprocess
import sys

import pytest
import structlog
from stewardd import telemetry


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Full(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")


@pytest.fixture(autouse=True)
def _logging_is_put_back():
    configured, root = structlog.get_config(), logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    structlog.configure(**configured)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize("stream", [Terminal(), io.StringIO()], ids=["terminal", "file"])
def test_a_traceback_shows_no_variable(stream):
    password = "hunter2"
    telemetry.configure("info", "auto", stream)
    try:
        raise RuntimeError(f"{len(password)} letters")
    except RuntimeError as error:
        telemetry.logger("test").error("failed", exc_info=error)
    assert "7 letters" in stream.getvalue()
    assert "hunter2" not in stream.getvalue().replace('password = "hunter2"', "")


def test_a_full_disk_fails_no_one_who_logs():
    telemetry.configure("info", "json", Full())
    telemetry.logger("test").info("said")


def test_a_daemon_does_not_load_rich_although_the_sdk_brings_it():
    assert importlib.util.find_spec("rich")
    loaded = (
        "import sys, stewardd.telemetry; print('rich' in sys.modules, 'structlog' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", loaded], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False True\n"
