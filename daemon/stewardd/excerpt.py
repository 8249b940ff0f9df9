"""What is kept of what a program printed: its beginning, its reasons and its end, within a bound.

A tool may print megabytes (pg_dump names every table that it wanted to lock), and the cause may stand anywhere in it.
So text is read line by line: the first line, those that give a reason (`error:`, `FATAL:`, …) and the last are kept.
Everything in the daemon that quotes a program, a server's log or libpq goes through here. Secrets are masked before
anything is cut, so that no piece of one is left.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable

LIMIT = 600
TRANSCRIPT_LIMIT = 16 * 1024
_HEAD_BYTES = 16 * 1024  # of a line; what is longer is kept without its middle
_TAIL_BYTES = 4 * 1024
_REASONS_KEPT = 6
_LAST_LINES_KEPT = 2
_LONGEST_LINE = 2000  # of a transcript, in characters
_HEAD_SHARE = 4
_LEAST_SHARE = 40  # fewer characters of a line say nothing
_MASKED_FROM = 5  # a shorter secret is a part of any text, and its absence would give it away
_REASON = re.compile(r"(?:error|fatal|panic|exception)\b\s*:", re.IGNORECASE)
_GAP = " … "


class Excerpt:
    """Reads a text in pieces of any size. The memory that it takes does not grow with the text."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = sorted((each for each in secrets if len(each) >= _MASKED_FROM), key=len)
        self._margin_bytes = max((len(each.encode()) for each in self._secrets), default=0)
        self._head = bytearray()
        self._tail = bytearray()
        self._count = 0
        self._first: dict[int, str] = {}
        self._reasons: dict[int, str] = {}
        self._last: deque[tuple[int, str]] = deque(maxlen=_LAST_LINES_KEPT)

    def feed(self, data: bytes) -> None:
        """Takes the next bytes."""
        *whole, rest = data.split(b"\n")
        for piece in whole:
            self._extend(piece)
            self._end_line()
        self._extend(rest)

    def text(self, limit: int = LIMIT) -> str:
        """Returns what is kept, on one line of at most `limit` characters; "" where nothing was printed."""
        self._end_line()
        # What comes first here has the first claim on the room.
        kept = self._reasons | self._first | dict(self._last)
        shares: dict[int, str] = {}
        left = limit
        for number, line in kept.items():
            if number in shares or left < _LEAST_SHARE:
                continue
            room = left if len(kept) == 1 else max(left * 2 // 3, _LEAST_SHARE)
            shares[number] = _cut(line, left if len(line) <= left else room)
            left -= len(shares[number]) + len(_GAP)
        return _joined(shares)

    def _extend(self, piece: bytes) -> None:
        room = _HEAD_BYTES - len(self._head)
        self._head += piece[:room]
        self._tail += piece[room:]
        del self._tail[: -(_TAIL_BYTES + 1)]

    def _end_line(self) -> None:
        head, tail = bytes(self._head), bytes(self._tail)
        self._head.clear()
        self._tail.clear()
        if len(tail) <= _TAIL_BYTES:
            self._keep(self._masked(head + tail))
            return
        # A secret that lies across a cut would not be found: its pieces go with the middle.
        head = head[: len(head) - self._margin_bytes]
        tail = tail[-_TAIL_BYTES:][self._margin_bytes :]
        self._keep(self._masked(head) + _GAP + self._masked(tail))

    def _masked(self, line: bytes) -> str:
        text = line.decode(errors="replace")
        for secret in reversed(self._secrets):
            text = text.replace(secret, "***")
        return text

    def _keep(self, line: str) -> None:
        text = " ".join(line.split())
        if not text:
            return
        number, self._count = self._count, self._count + 1
        if not self._first:
            self._first[number] = text
        is_new_reason = _REASON.search(text) and text not in self._reasons.values()
        if is_new_reason and len(self._reasons) < _REASONS_KEPT:
            self._reasons[number] = text
        self._last.append((number, text))


class Transcript(Excerpt):
    """The lines of a text, all of them where they fit into `limit` characters.

    Of a longer text the beginning and the end are kept, and of what lies between them the lines that give a reason.
    """

    def __init__(self, secrets: Iterable[str] = (), limit: int = TRANSCRIPT_LIMIT) -> None:
        super().__init__(secrets)
        self._head_room = limit // _HEAD_SHARE
        self._end_room = limit - self._head_room - _REASONS_KEPT * _LONGEST_LINE // 2
        self._beginning: dict[int, str] = {}
        self._ending: deque[tuple[int, str]] = deque()

    def whole(self) -> str:
        """Returns what is kept, a line for each line; "" where nothing was printed."""
        self._end_line()
        reasons = {number: _cut(line, _LONGEST_LINE // 2) for number, line in self._reasons.items()}
        kept = reasons | self._beginning | dict(self._ending)
        lines, expected = [], 0
        for number in sorted(kept):
            if number > expected:
                lines.append(f"… {number - expected} more lines …")
            lines.append(kept[number])
            expected = number + 1
        return "\n".join(lines)

    def _keep(self, line: str) -> None:
        number = self._count
        super()._keep(line)
        if self._count == number:  # a line of blanks
            return
        text = _cut(line.rstrip(), _LONGEST_LINE)
        if self._head_room >= len(text):
            self._head_room -= len(text) + 1
            self._beginning[number] = text
            return
        self._head_room = 0  # from here on lines belong to the end
        self._ending.append((number, text))
        self._end_room -= len(text) + 1
        while self._end_room < 0:
            self._end_room += len(self._ending.popleft()[1]) + 1


def excerpt(text: str | bytes, *, secrets: Iterable[str] = (), limit: int = LIMIT) -> str:
    """Returns the beginning, the reasons and the end of a text, on one line of at most `limit` characters."""
    found = Excerpt(secrets)
    found.feed(text.encode() if isinstance(text, str) else text)
    return found.text(limit)


def _cut(line: str, room: int) -> str:
    """Returns a line's beginning and its end."""
    if len(line) <= room:
        return line
    end = room // 4
    return f"{line[: room - end - len(_GAP)]}{_GAP}{line[-end:]}"


def _joined(lines: dict[int, str]) -> str:
    text, before = "", -1
    for number in sorted(lines):
        if text:
            text += " " if number == before + 1 else _GAP
        text += lines[number]
        before = number
    return text
