"""The command in a pseudo-terminal of some width, as somebody would see it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import termios
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.forking import fork

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True)
class Seen:
    """What a terminal got: the bytes as text, and the same without colours and cursor moves."""

    returncode: int
    raw: str

    @property
    def text(self) -> str:
        return _ESCAPES.sub("", self.raw)

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()


def in_terminal(
    arguments: list[object], environment: Mapping[str, str], *, width: int = 80, cwd: Path
) -> Seen:
    """Runs the command in a terminal of so many columns, and returns what it showed."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    with Path(os.devnull).open("rb") as nothing:
        running = fork(
            "steward",
            [str(each) for each in arguments],
            {"TERM": "xterm-256color", **environment},
            cwd,
            (nothing, follower, follower),
        )
    os.close(follower)
    seen = b""
    while True:
        try:
            piece = os.read(leader, 65536)
        except OSError:  # how Linux says that the other end is closed
            break
        if not piece:
            break
        seen += piece
    os.close(leader)
    return Seen(running.wait(30), seen.decode().replace("\r\n", "\n"))
