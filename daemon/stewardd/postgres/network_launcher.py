"""Runs a program where there is no network: `network_launcher.py METHOD UID GID PROGRAM ARGUMENT…`, as a script.

The program gets a network namespace of its own, with no interface that is up; sockets that are files work as before.
It gains no rights by what it executes (no_new_privs). METHOD says who makes the namespace: `root` the account that
starts this, before it becomes the account of the program; `user` the account of the program, in a user namespace, in
which it is the same account without further rights. Exit status 125 means that the system refused. It uses the standard
library only, since it is started without site-packages.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

REFUSED = 125
_NEW_USER = 0x10000000
_NEW_NETWORK = 0x40000000
_SET_DUMPABLE = 4
_NO_NEW_PRIVILEGES = 38


def main(arguments: list[str]) -> None:
    """Becomes the program; ends with REFUSED where the system does not let it."""
    method, uid, gid, *program = arguments
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        if method == "root":
            _unshare(libc, _NEW_NETWORK)
            _become(int(uid), int(gid))
        else:
            _become(int(uid), int(gid))
            libc.prctl(_SET_DUMPABLE, 1, 0, 0, 0)  # else the maps below belong to root
            _unshare(libc, _NEW_USER | _NEW_NETWORK)
            _keep_account(int(uid), int(gid))
        libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    except OSError as error:
        sys.stderr.write(f"no network namespace: {error.strerror}\n")
        sys.exit(REFUSED)
    os.execv(program[0], program)  # noqa: S606 - it is what this is for


def _unshare(libc: ctypes.CDLL, flags: int) -> None:
    if libc.unshare(flags) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _become(uid: int, gid: int) -> None:
    if os.geteuid() == uid:
        return
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def _keep_account(uid: int, gid: int) -> None:
    """In the new user namespace the account has the number that it had."""
    own = Path("/proc/self")
    (own / "setgroups").write_text("deny")
    (own / "uid_map").write_text(f"{uid} {uid} 1")
    (own / "gid_map").write_text(f"{gid} {gid} 1")


if __name__ == "__main__":
    main(sys.argv[1:])
