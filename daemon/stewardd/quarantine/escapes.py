"""What a text says to who undoes the escapes of URLs, JSON and HTML, with the place in the text of each character.

An escape may stand in an escape: a URL in JSON in a cell. What decodes to nothing is left as it stands. A backslash and
n, r, t, b or f count as one only where a text begins like JSON: elsewhere it may stand before somebody's name.
"""

from __future__ import annotations

import html
import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass

_DEPTH = 4
_WIDE_AT = "\uff20"  # of East Asian keyboards
_ESCAPES = (
    r"(?:%[0-9A-Fa-f]{2})+|(?<!\\)\\+u[0-9A-Fa-f]{4}"
    r"|&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,8});|\uff20"
)
_ESCAPE = re.compile(_ESCAPES)
_JSON_ESCAPE = re.compile(_ESCAPES + r"|(?<!\\)\\+[nrtbf]")
_CONTROLS = dict(zip("nrtbf", "\n\r\t\b\f", strict=True))
_QUICK = re.compile(
    rb"%[0-7][0-9a-f]|(?<!\\)\\+u00[0-7][0-9a-f]|&(?:#[0-9]{1,7}|#x[0-9a-f]{1,6}|[a-z]{2,8});"
    rb"|\xef\xbc\xa0|%ef%bc%a0|(?<!\\)\\+uff20"
)
_QUICK_KINDS = (
    re.compile(rb"%(?:[0-7][0-9a-f]|ef%bc%a0)"),
    re.compile(rb"\\u(?:00[0-7][0-9a-f]|ff20)"),
    re.compile(rb"&(?:#[0-9]{1,7}|#x[0-9a-f]{1,6}|[a-z]{2,8});"),
    re.compile(rb"\xef\xbc\xa0"),
)


@dataclass(frozen=True, slots=True)
class Reading:
    """A text; its character i stands at origin[i] to origin[i + 1] of the text that was read. None: at i."""

    text: str
    origin: array[int] | None = None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where characters stand in the text that was read."""
        return (start, end) if self.origin is None else (self.origin[start], self.origin[end])


def readings(text: str) -> list[Reading]:
    """A text as it stands, and as it is after each undoing of escapes; the last has none, but for too deep ones."""
    found = [Reading(text)]
    escape = _JSON_ESCAPE if text.lstrip().startswith(("{", "[", '"')) else _ESCAPE
    while len(found) <= _DEPTH and escape.search(found[-1].text):
        reading = _undone(found[-1], escape)
        if reading.text == found[-1].text:
            break
        found.append(reading)
    return found


def undone(data: bytes, reach: int) -> bytes | None:
    """What of lower-case bytes stands up to `reach` bytes from an escape of ASCII, undone, for a quick look.

    None where there is no escape. Looking for each kind by itself takes 700 MB in a second, and for all in one pattern
    23 MB: the search jumps from one first letter to the next. Only what is near an escape goes through the slow one.
    """
    places = sorted(found.start() for kind in _QUICK_KINDS for found in kind.finditer(data))
    if not places:
        return None
    windows = [[max(0, places[0] - reach), places[0] + reach]]
    for place in places:
        if place - reach <= windows[-1][1]:
            windows[-1][1] = place + reach
        else:
            windows.append([place - reach, place + reach])
    before = b"\n".join(data[begin:end] for begin, end in windows)
    for _ in range(_DEPTH):
        after = _QUICK.sub(_quick, before)
        if after == before:
            break
        before = after.lower()
    return before


def _quick(escape: re.Match[bytes]) -> bytes:
    (letter, _), *_ = _letters(escape[0].decode())
    if letter == _WIDE_AT:
        return b"@"
    return letter.encode() if letter.isascii() else escape[0]


def _undone(reading: Reading, escape: re.Pattern[str]) -> Reading:
    text = reading.text
    origin = array("I", range(len(text) + 1)) if reading.origin is None else reading.origin
    letters: list[str] = []
    places = array("I")
    end = 0
    for found in escape.finditer(text):
        at = found.start()
        letters.append(text[end:at])
        places.extend(origin[end:at])
        for letter, length in _letters(found[0]):
            letters.append(letter)
            places.append(origin[at])
            at += length
        end = found.end()
    return Reading("".join((*letters, text[end:])), places + origin[end:])


def _letters(escape: str) -> Iterator[tuple[str, int]]:
    """The characters of an escape, each with the length of what stands for it."""
    if escape.startswith("%"):
        body = bytes.fromhex(escape.replace("%", ""))
        at = 0
        for letter in body.decode(errors="surrogateescape"):
            if "\udc80" <= letter <= "\udcff":  # no UTF-8: it stands for itself
                yield from ((each, 1) for each in escape[at : at + 3])
                at += 3
            else:
                length = 3 * len(letter.encode())
                yield letter, length
                at += length
    elif escape.startswith("\\"):
        word = escape.lstrip("\\")
        yield (chr(int(word[1:], 16)) if len(word) > 1 else _CONTROLS[word]), len(escape)
    elif escape == _WIDE_AT:
        yield "@", 1
    else:
        letter = html.unescape(escape)
        if len(letter) == 1:
            yield letter, len(escape)
        else:
            yield from ((each, 1) for each in escape)
