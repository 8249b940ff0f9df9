"""Reading `postmaster.pid`, and telling a live postmaster from what one left behind.

The server removes its own stale file, save when the number in it has gone to another live process of the same account
(a restarted container hands the same numbers out again): then it refuses to start, and we must remove the file. The
interlock against two servers on one folder is worth more than any start, so that is done only where the system shows
what every process is (Linux), and no PostgreSQL process at all works in that folder.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_PROCESSES = Path("/proc")


@dataclass(frozen=True, slots=True)
class PostmasterFile:
    """What `postmaster.pid` says. The later lines appear as the server comes up."""

    pid: int
    port: int | None
    socket_dir: Path | None
    status: str


def read_postmaster_file(data_dir: Path) -> PostmasterFile | None:
    """The file's contents, or None when there is none (or only its beginning, so that nothing can be said)."""
    try:
        lines = (data_dir / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return None
    lines = [line.strip() for line in lines] + [""] * 8
    if not lines[0].lstrip("-").isdigit():
        return None
    return PostmasterFile(
        pid=abs(int(lines[0])),
        port=int(lines[3]) if lines[3].isdigit() else None,
        socket_dir=Path(lines[4]) if lines[4] else None,
        status=lines[7],
    )


def live_postmaster(data_dir: Path) -> PostmasterFile | None:
    """The postmaster that serves this folder now, or None."""
    found = read_postmaster_file(data_dir)
    if found is None or not _is_alive(found.pid):
        return None
    return found if _may_serve(found.pid, data_dir) else None


def remove_if_stale(data_dir: Path) -> bool:
    """Removes a file whose number belongs to a stranger now. Returns whether it did.

    A dead number is left to the server, which clears it up with its shared memory.
    """
    found = read_postmaster_file(data_dir)
    if found is None or not _is_alive(found.pid) or not _shows_processes():
        return False
    if any(_may_serve(pid, data_dir) for pid in _all_pids()):
        return False
    (data_dir / "postmaster.pid").unlink(missing_ok=True)
    return True


def _is_alive(pid: int) -> bool:
    """Whether the process runs: a zombie that nobody has waited for does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    try:
        stat = (_PROCESSES / str(pid) / "stat").read_text()
    except OSError:
        return not _shows_processes()
    return stat.rpartition(")")[2].split()[0] not in ("Z", "X")


def _may_serve(pid: int, data_dir: Path) -> bool:
    """Whether the process is a server of this folder, as far as the system shows: in doubt it is.

    A server goes to its data folder and stays there. Its working folder is hidden from a root without CAP_SYS_PTRACE
    (the usual one in a container); its name isn't.
    """
    if not _shows_processes():
        return True
    process = _PROCESSES / str(pid)
    try:
        if (process / "comm").read_text().strip() != "postgres":
            return False
        return (process / "cwd").readlink() == data_dir.resolve()
    except PermissionError:
        return True
    except OSError:
        return False


def _all_pids() -> list[int]:
    return [int(entry.name) for entry in _PROCESSES.iterdir() if entry.name.isdigit()]


def _shows_processes() -> bool:
    return (_PROCESSES / "self" / "stat").exists()
