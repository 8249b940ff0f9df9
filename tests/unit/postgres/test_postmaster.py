"""A postmaster.pid is judged by the process that it names."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from stewardd.postgres.postmaster import live_postmaster, read_postmaster_file, remove_if_stale

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="processes are seen through /proc"
)


def write(folder: Path, pid: int) -> None:
    lines = [str(pid), str(folder), "1763900000", "5432", "/run/x", "", "  1  2", "ready   "]
    (folder / "postmaster.pid").write_text("\n".join(lines) + "\n")


def test_the_file_is_read_in_its_lines(tmp_path):
    write(tmp_path, 4711)
    found = read_postmaster_file(tmp_path)
    assert found is not None
    assert (found.pid, found.port, found.socket_dir, found.status) == (
        4711,
        5432,
        Path("/run/x"),
        "ready",
    )


def test_a_file_of_which_only_the_beginning_is_there_yet_is_read_so_far(tmp_path):
    (tmp_path / "postmaster.pid").write_text("4711\n/data\n")
    found = read_postmaster_file(tmp_path)
    assert found is not None
    assert found.socket_dir is None
    (tmp_path / "postmaster.pid").write_text("")
    assert read_postmaster_file(tmp_path) is None


def test_another_program_under_that_number_is_no_postmaster_and_the_file_is_removed(tmp_path):
    write(tmp_path, os.getpid())
    assert live_postmaster(tmp_path) is None
    assert remove_if_stale(tmp_path)
    assert not (tmp_path / "postmaster.pid").exists()


def test_a_dead_number_is_left_for_the_server_to_clear_up(tmp_path):
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    write(tmp_path, child.pid)
    assert live_postmaster(tmp_path) is None
    assert not remove_if_stale(tmp_path)
    assert (tmp_path / "postmaster.pid").exists()


def test_a_zombie_does_not_live(tmp_path):
    child = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    write(tmp_path, child.pid)
    assert live_postmaster(tmp_path) is None
    child.wait()


def test_the_file_stays_while_any_server_process_works_in_the_folder(tmp_path):
    program = (
        tmp_path / "postgres"
    )  # a process of that name, in that folder: a backend that outlived its postmaster
    program.symlink_to("/bin/sleep")
    orphan = subprocess.Popen([str(program), "60"], cwd=tmp_path)
    try:
        while (
            Path(f"/proc/{orphan.pid}/comm").read_text() != "postgres\n"
        ):  # its name comes a moment after its start
            time.sleep(0.01)
        write(tmp_path, os.getpid())
        assert not remove_if_stale(tmp_path)
        write(tmp_path, orphan.pid)
        assert live_postmaster(tmp_path) is not None
    finally:
        orphan.kill()
        orphan.wait()
