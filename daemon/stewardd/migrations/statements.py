"""Cuts a SQL script into its statements, as psql does: at semicolons outside of quotes, brackets and function bodies.

It reads PostgreSQL's lexical structure (SQL Syntax, 4.1) and no grammar: a script that PostgreSQL would refuse is cut
anyway, and refused there. The words of a statement without comments and with single blanks are its code: two files with
the same code do the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_DOLLAR = re.compile(r"\$(?:[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_\x80-\U0010ffff]*)?\$")
# Most of a script: what ends where the next character is of another kind.
_PLAIN = re.compile(
    r"(?P<blank>\s+)|(?P<comment>--[^\n]*)|(?P<number>[0-9][0-9A-Za-z_.]*)"
    r"|(?P<word>[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_$\x80-\U0010ffff]*)"
)
_COMMENT_EDGE = re.compile(r"/\*|\*/")
_QUOTED = {
    "'": re.compile(r"'(?:[^']|'')*'"),
    '"': re.compile(r'"(?:[^"]|"")*"'),
}
_ESCAPED = re.compile(r"'(?:[^'\\]|''|\\.)*'", re.DOTALL)
_BODIES = ("FUNCTION", "PROCEDURE")


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement: its text as written, without the semicolon, the line that it begins on, and its code."""

    text: str
    line: int
    code: str

    @property
    def words(self) -> tuple[str, ...]:
        """Its first words, in capitals."""
        return tuple(word.upper() for word in self.code.split(" ", 6)[:6])

    @property
    def is_concurrent(self) -> bool:
        """Whether it does its work without keeping writers away, and waits for old transactions to end."""
        return "CONCURRENTLY" in self.code.upper().split()


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a script; `kind` is word, number, quoted, comment, blank or sign."""

    kind: str
    text: str
    at: int


class ScriptUnreadable(ValueError):
    """The script ends inside of a quote or a comment; `line` is where that began."""

    def __init__(self, what: str, line: int) -> None:
        super().__init__(f"{what} that begins on line {line} does not end")
        self.line = line


def tokens(script: str) -> Iterator[Token]:
    """Reads the pieces of a script; nothing is left out. Raises: ScriptUnreadable."""
    at = 0
    while at < len(script):
        kind, end = _next(script, at)
        if kind == "word" and end < len(script) and script[end] == "'":
            word = script[at:end].upper()
            if word in ("E", "B", "X", "N"):
                found = (_ESCAPED if word == "E" else _QUOTED["'"]).match(script, end)
                if found is None:
                    raise ScriptUnreadable("the text", _line(script, at))
                kind, end = "quoted", found.end()
        yield Token(kind, script[at:end], at)
        at = end


def _next(script: str, at: int) -> tuple[str, int]:
    if plain := _PLAIN.match(script, at):
        return str(plain.lastgroup), plain.end()
    first = script[at]
    if script.startswith("/*", at):
        return "comment", _end_of_comment(script, at)
    if first in _QUOTED:
        found = _QUOTED[first].match(script, at)
        if found is None:
            raise ScriptUnreadable("the text" if first == "'" else "the name", _line(script, at))
        return "quoted", found.end()
    if first == "$" and (tag := _DOLLAR.match(script, at)):
        end = script.find(tag[0], tag.end())
        if end < 0:
            raise ScriptUnreadable(f"the text in {tag[0]}", _line(script, at))
        return "quoted", end + len(tag[0])
    return "sign", at + 1


def _end_of_comment(script: str, at: int) -> int:
    """Comments nest."""
    depth, end = 0, at
    while depth or end == at:
        edge = _COMMENT_EDGE.search(script, end)
        if edge is None:
            raise ScriptUnreadable("the comment", _line(script, at))
        depth += 1 if edge[0] == "/*" else -1
        end = edge.end()
    return end


def _line(script: str, at: int) -> int:
    return script.count("\n", 0, at) + 1


class _Depth:
    """How deep a statement is in brackets, and in the body of a function in the SQL standard's way (BEGIN ATOMIC)."""

    def __init__(self) -> None:
        self.brackets = 0
        self.body = 0
        self._first: list[str] = []

    @property
    def is_outside(self) -> bool:
        return self.brackets <= 0 and self.body == 0

    def take(self, token: Token) -> None:
        if token.kind == "sign":
            self.brackets += {"(": 1, ")": -1}.get(token.text, 0)
        elif token.kind == "word":
            word = token.text.upper()
            if len(self._first) < 4:
                self._first.append(word)
            if self.brackets <= 0 and self._makes_a_function():
                self._take_word_of_function(word)

    def _makes_a_function(self) -> bool:
        words = [word for word in self._first if word not in ("OR", "REPLACE")]
        return words[:1] == ["CREATE"] and len(words) > 1 and words[1] in _BODIES

    def _take_word_of_function(self, word: str) -> None:
        if word == "BEGIN" or (word == "CASE" and self.body):
            self.body += 1
        elif word == "END" and self.body:
            self.body -= 1


def split(script: str) -> list[Statement]:
    """The statements of a script, in order. Raises: ScriptUnreadable."""
    found: list[Statement] = []
    pieces: list[Token] = []
    depth = _Depth()
    for token in tokens(script):
        if token.kind == "sign" and token.text == ";" and depth.is_outside:
            found.extend(_statement(script, pieces))
            pieces, depth = [], _Depth()
            continue
        depth.take(token)
        pieces.append(token)
    found.extend(_statement(script, pieces))
    return found


def _statement(script: str, pieces: list[Token]) -> list[Statement]:
    """One statement, or none where there are only blanks and comments."""
    solid = [piece for piece in pieces if piece.kind not in ("blank", "comment")]
    if not solid:
        return []
    begin, end = solid[0].at, solid[-1].at + len(solid[-1].text)
    return [Statement(script[begin:end], _line(script, begin), _code(pieces))]


def _code(pieces: list[Token]) -> str:
    """The words as they stand, with one blank wherever blanks or comments were."""
    text = ""
    gap = False
    for piece in pieces:
        if piece.kind in ("blank", "comment"):
            gap = bool(text)
        else:
            text += (" " if gap else "") + piece.text
            gap = False
    return text
