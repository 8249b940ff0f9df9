"""Under which system account the embedded server runs.

PostgreSQL refuses to run as root, rightly. A daemon that is root lends it an unprivileged account: the configured one,
else `postgres`, else `nobody`. A daemon that isn't root runs it as itself, and can do nothing else.
"""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from stewardd.errors import ConfigurationError

_CANDIDATES = ("postgres", "nobody")
_OUTPUT_LIMIT_BYTES = 64 * 1024

# The first folder of the arguments that can't be entered is named on stdout. Asking the system as that account, not
# reading mode bits, gets groups, access control lists and read-only mounts right.
_FIRST_CLOSED = 'for folder; do test -x "$folder" || { printf %s "$folder"; exit 1; }; done'


@dataclass(frozen=True, slots=True)
class Account:
    """A system account. `lent` says that it is another one than the daemon's own.

    Its programs are started by the `launcher`, where there is one, which becomes the account by itself.
    """

    name: str
    uid: int
    gid: int
    lent: bool
    launcher: tuple[str, ...] = ()

    def launched_by(self, launcher: Sequence[str]) -> Account:
        """The account, with the beginning of a command line that starts its programs."""
        return replace(self, launcher=tuple(launcher))

    def run(self, argv: Sequence[str], *, timeout_s: float) -> tuple[int, str]:
        """Runs a program to its end under this account; blocks. Returns its exit status, and what it printed.

        Its output goes through a file, not a pipe: a server that it leaves behind could hold a pipe open for as long
        as it lives. The file lies in memory where the system has that: only the data folder need be writable. Raises
        subprocess.TimeoutExpired, OSError.
        """
        changes = self.lent and not self.launcher
        with _unnamed_file() as output:
            done = subprocess.run(
                [*self.launcher, *argv],
                cwd="/",
                env={"PATH": os.defpath, "LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=timeout_s,
                start_new_session=True,
                umask=0o077,
                check=False,
                user=self.uid if changes else None,
                group=self.gid if changes else None,
                extra_groups=[] if changes else None,
            )
            output.seek(0)
            return done.returncode, output.read(_OUTPUT_LIMIT_BYTES).decode(errors="replace")

    def first_closed(self, folders: Sequence[Path]) -> Path | None:
        """The first of these folders that this account can't enter, or None when it gets through all of them."""
        names = [str(folder) for folder in folders]
        status, name = self.run(["/bin/sh", "-c", _FIRST_CLOSED, "sh", *names], timeout_s=30)
        return Path(name) if status else None


def _unnamed_file() -> BinaryIO:
    if sys.platform == "linux":
        return os.fdopen(os.memfd_create("steward-output", os.MFD_CLOEXEC), "w+b")
    return tempfile.TemporaryFile()


def choose_account(configured: str | None) -> Account:
    """The account that the embedded server runs under. Raises ConfigurationError when there is none fit."""
    if os.geteuid() != 0:
        return _own_account(configured)
    for name in (configured,) if configured else _CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid == 0:
            break
        return Account(name, entry.pw_uid, entry.pw_gid, lent=True)
    wanted = configured or " or ".join(_CANDIDATES)
    raise ConfigurationError(
        f"the embedded server needs an unprivileged system account, and {wanted!r} is none",
        hint="name one in `postgres.embedded_user`, or run the daemon under an account of its own",
    )


def _own_account(configured: str | None) -> Account:
    uid = os.geteuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:  # containers run under numbers that have no name
        name = str(uid)
    if configured and configured != name:
        raise ConfigurationError(
            f"the embedded server cannot run as {configured!r}: the daemon runs as {name!r}, and only root can change",
            hint="leave `postgres.embedded_user` empty, or run the daemon as root",
        )
    return Account(name, uid, os.getegid(), lent=False)
