"""The SQL inside of DO blocks, function bodies and EXECUTE, which a linter of statements does not see.

A body is cut at its semicolons, and of each piece the part from the first word on that begins a statement of SQL is
taken. It is no parser of PL/pgSQL: what stands in a text that is put together when it runs cannot be found.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from stewardd.migrations.statements import ScriptUnreadable, Statement, Token, tokens

_STARTS = (
    "ALTER",
    "CREATE",
    "DROP",
    "TRUNCATE",
    "REINDEX",
    "CLUSTER",
    "VACUUM",
    "LOCK",
    "UPDATE",
    "DELETE",
    "INSERT",
)
# A statement begins after one of these words, or at the beginning of a piece.
_BEFORE = ("BEGIN", "THEN", "ELSE", "LOOP", "ATOMIC", "DO")
_DOLLAR = re.compile(
    r"(\$(?:[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_\x80-\U0010ffff]*)?\$)(.*)\1", re.DOTALL
)
_DEEPEST = 5


@dataclass(frozen=True, slots=True)
class EmbeddedStatement:
    """A statement that stands in a body, and its line in the file."""

    text: str
    line: int


def embedded_statements(statement: Statement) -> list[EmbeddedStatement]:
    """The statements in the body of a DO block, a function or a procedure; none for any other statement."""
    words = [word for word in statement.words if word not in ("OR", "REPLACE")]
    if not (
        words[:1] == ["DO"]
        or (words[:1] == ["CREATE"] and words[1:2] in (["FUNCTION"], ["PROCEDURE"]))
    ):
        return []
    found = []
    for token in tokens(statement.text):
        if token.kind == "quoted" and (body := _body(token)) is not None:
            line = statement.line + statement.text.count("\n", 0, token.at)
            found += _in_body(body, line, 1)
        elif token.kind == "word" and token.text.upper() == "ATOMIC":
            rest = statement.text[token.at :]
            line = statement.line + statement.text.count("\n", 0, token.at)
            found += _in_body(rest, line, 1)
            break
    return found


def _body(token: Token) -> str | None:
    """What a quoted token holds: `$$…$$` or `'…'`; a name in double quotes holds nothing."""
    if dollar := _DOLLAR.fullmatch(token.text):
        return dollar[2]
    if token.text.startswith("'"):
        return token.text[1:-1].replace("''", "'")
    return None


def _in_body(body: str, line: int, depth: int) -> list[EmbeddedStatement]:
    try:
        pieces = list(_pieces(body))
    except ScriptUnreadable:
        return []
    found = []
    for piece in pieces:
        if start := _start(piece):
            text = body[start.at : piece[-1].at + len(piece[-1].text)]
            found.append(EmbeddedStatement(text, line + body.count("\n", 0, start.at)))
        for text, at in _executed(piece):
            if depth < _DEEPEST:
                found += _in_body(text, line + body.count("\n", 0, at), depth + 1)
    return found


def _pieces(body: str) -> Iterator[list[Token]]:
    """The body cut at semicolons, blanks and comments left out."""
    piece: list[Token] = []
    for token in tokens(body):
        if token.kind == "sign" and token.text == ";":
            if piece:
                yield piece
            piece = []
        elif token.kind not in ("blank", "comment"):
            piece.append(token)
    if piece:
        yield piece


def _start(piece: list[Token]) -> Token | None:
    """The word that begins a statement of SQL in a piece."""
    before = ""
    for place, token in enumerate(piece):
        word = token.text.upper() if token.kind == "word" else token.text
        if token.kind == "word" and word in _STARTS and (place == 0 or before in _BEFORE):
            return token
        before = word
    return None


def _executed(piece: list[Token]) -> Iterator[tuple[str, int]]:
    """The texts behind EXECUTE, with where they begin; a format's places are filled with names."""
    words = [token.text.upper() if token.kind == "word" else token.text for token in piece]
    if "EXECUTE" not in words:
        return
    for token in piece[words.index("EXECUTE") + 1 :]:
        if token.kind == "quoted" and (text := _body(token)) is not None:
            yield re.sub(r"%(?:\d+\$)?[ILs]", "placed", text), token.at
            return
