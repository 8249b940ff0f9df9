"""How the command ends where its surroundings end first."""

import signal
import subprocess
import sys
import time

import pytest

COMMAND = (sys.executable, "-m", "steward_client.command")


@pytest.mark.parametrize(("command", "code"), [("--help", 0), ("health", 3), ("nonsense", 2)])
def test_a_closed_stdout_is_no_crash(command, code):
    ended = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *COMMAND, "--server", "unix:/nowhere", command],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert (ended.returncode, "CRASH" in ended.stderr) == (code, False)


def test_ctrl_c_while_the_command_is_being_loaded_is_an_interruption(tmp_path):
    """The moment is held still: one of the modules that the command loads takes its time."""
    (tmp_path / "click.py").write_text(
        "import time\nprint('loading', flush=True)\ntime.sleep(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW, tmp_path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "loading\n"
    time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert (process.returncode, said) == (130, "")


SLOW = """
import sys
sys.path.insert(0, sys.argv[1])
from steward_client.command import main
sys.exit(main(["health"]))
"""
