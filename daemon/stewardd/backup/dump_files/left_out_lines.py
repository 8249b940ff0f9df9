"""Takes lines out of a plain dump on its way to psql: its own `restrict KEY` and `unrestrict KEY`, and one setting.

Every pg_dump since August 2025 writes such a pair, and psql, which is restricted by the daemon's key already, would
refuse the first of them. Nothing of the safety rests on this: whatever a dump looks like afterwards, psql runs no
command of it. The line ends stay, so that psql counts lines as the file has them.
"""

from __future__ import annotations

import re

NEWER_SETTING = b"SET transaction_timeout = 0;"
"""What pg_dump writes since 17, also of an older server, which does not know it."""


class LeftOutLines:
    """Takes a dump in pieces of any size. `key` is letters and digits, "" where the dump has none of its own."""

    def __init__(self, key: str, *, leaves_setting_out: bool = False) -> None:
        self._key = key.encode()
        self._pairs = (
            re.compile(rb"^\\(?:un)?restrict " + self._key + rb"(?=\r?\n)", re.MULTILINE)
            if key
            else None
        )
        self._setting = (
            re.compile(rb"^" + re.escape(NEWER_SETTING) + rb"(?=\r?\n)", re.MULTILINE)
            if leaves_setting_out
            else None
        )
        self._longest = max(len(key) + len("\\unrestrict "), len(NEWER_SETTING)) + 2
        self._rest = b""
        self._is_within = False  # what comes next is not the beginning of a line

    def feed(self, data: bytes) -> bytes:
        """Returns what may be passed on of what was fed so far."""
        data = self._rest + data
        end = data.rfind(b"\n") + 1
        if len(data) - end > self._longest:  # too long a line to be one of them
            end = len(data)
        ready, self._rest = data[:end], data[end:]
        return self._without(ready)

    def finish(self) -> bytes:
        """Returns the last line, which has no line end."""
        rest, self._rest = self._rest + b"\n", b""
        return self._without(rest)

    def _without(self, data: bytes) -> bytes:
        if not data:
            return data
        start = data.find(b"\n") + 1 if self._is_within else 0
        self._is_within = not data.endswith(b"\n")
        lines = data[start:]
        if self._pairs is not None and self._key in lines:  # which is found ten times faster
            lines = self._pairs.sub(b"", lines)
        if self._setting is not None and (found := self._setting.search(lines)):
            lines = lines[: found.start()] + lines[found.end() :]
            self._setting = None  # once: pg_dump writes it before the first row
        return data[:start] + lines
