"""The README's commands, executed as they stand there (`make test` excepted: this is it)."""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEFAULT_PORT = 50551
NEEDS_ONE_QUARANTINED = 1

pytestmark = pytest.mark.xdist_group("default ports")


def commands() -> list[str]:
    """Every line of the README's console blocks that begins with $, without its comment."""
    blocks = re.findall(r"```console\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if line.startswith("$ ")]
    return [line[2:].partition("  #")[0].strip() for line in lines]


def run(command: str, expected: tuple[int, ...] = (0,)) -> str:
    done = subprocess.run(
        shlex.split(command), check=False, cwd=ROOT, capture_output=True, text=True, timeout=280
    )
    assert done.returncode in expected, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def left_running(word: str) -> list[str]:
    """The command lines of processes that name a word."""
    found = []
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = line.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if word in text:
            found.append(text)
    return found


def test_the_readme_has_the_two_commands_on_its_first_screen():
    assert {"make demo", "make test"} <= set(commands()[:2])


def test_make_demo_shows_everything_and_leaves_nothing_running():
    shown = run("make demo")
    for expected in (
        *("language_session", "mentorship_session", "quarantined"),
        *("is resolved", "rows.csv", "backup", "It works"),
    ):
        assert expected in shown
    assert left_running("steward-demo-") == []


def test_make_run_and_what_follows_it(folder):
    if answers(DEFAULT_PORT):
        pytest.fail(f"something listens on port {DEFAULT_PORT}, where the README's daemon would")
    daemon = subprocess.Popen(
        ["make", "run", f"DATA_DIR={folder / 'data'}"], cwd=ROOT, start_new_session=True
    )
    batch = ""
    try:
        deadline = time.monotonic() + 120
        while not answers(DEFAULT_PORT):
            assert daemon.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        for command in commands():
            if command in ("make demo", "make test") or command.startswith("make run"):
                continue
            expected = (NEEDS_ONE_QUARANTINED,) if " validate " in command else (0,)
            shown = run(command.replace("batches/…", batch), expected)
            batch = next(iter(re.findall(r"batches/[0-9a-f-]{36}", shown)), batch)
        (snippet,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
        python = subprocess.run(
            [ROOT / ".venv/bin/python", "-c", snippet],
            cwd=ROOT,
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert re.fullmatch(r"\d+ \d+ \d+\n", python.stdout), python.stderr
    finally:
        os.killpg(daemon.pid, signal.SIGTERM)
        daemon.wait(60)
        (ROOT / "valid.csv").unlink(missing_ok=True)
        shutil.rmtree(folder / "data", ignore_errors=True)


def test_a_clone_is_not_changed_by_any_of_it():
    status = subprocess.run(
        ["git", "status", "--porcelain", "--untracked-files=all"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    stray = [
        line for line in status.stdout.splitlines() if "valid.csv" in line or "uv.lock" in line
    ]
    assert stray == []
