"""JSON that is read and written back as it was meant: numbers keep their digits, and a doubled member stays doubled.

Python's own reader would round numbers and keep the last of two equal members. What is lost here are blanks between
tokens, and how a character was escaped.
"""

from __future__ import annotations

import json
from typing import Any


class NotJson(ValueError):
    """A text is no JSON, or is nested deeper than can be followed."""


class Number(str):
    """A number, as its text."""

    __slots__ = ()


class Members(list[tuple[str, Any]]):
    """The members of an object, in their order."""

    __slots__ = ()


def read_json(text: str) -> Any:
    """Reads a JSON text: an object becomes Members, a number a Number. Raises: NotJson."""
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError):
        raise NotJson("a text is no JSON") from None


def write_json(value: Any) -> str:
    """Writes a value that was read, in one line. Raises: NotJson for one that is nested too deep."""
    parts: list[str] = []
    try:
        _write(value, parts)
    except RecursionError:
        raise NotJson("a value is nested too deep") from None
    return "".join(parts)


def canonical(text: str) -> str:
    """Returns a JSON text without blanks between its tokens; a text that is no JSON as it is."""
    try:
        return write_json(read_json(text))
    except NotJson:
        return text


def one_line(text: str) -> str:
    """Returns a JSON text in one line: there, line ends stand only between tokens."""
    return text.replace("\r", " ").replace("\n", " ").strip(" ")


def _refuse(constant: str) -> Any:
    raise NotJson(f"{constant} is no JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=Members, parse_float=Number, parse_int=Number, parse_constant=_refuse
)


def _write(value: Any, parts: list[str]) -> None:
    if isinstance(value, Number):
        parts.append(str(value))
    elif isinstance(value, str):
        parts.append(_quoted(value))
    elif isinstance(value, Members):
        before = "{"
        for name, each in value:
            parts += (before, _quoted(name), ":")
            _write(each, parts)
            before = ","
        parts.append("}" if value else "{}")
    elif isinstance(value, list):
        before = "["
        for each in value:
            parts.append(before)
            _write(each, parts)
            before = ","
        parts.append("]" if value else "[]")
    else:
        parts.append(json.dumps(value))


def _quoted(text: str) -> str:
    quoted = json.dumps(text, ensure_ascii=False)
    try:
        quoted.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return json.dumps(text)
    return quoted
