"""The roles that a dump names: owners, grantees, those of policies; and other roles put in their place.

pg_restore stops at the first role that the server lacks. So they are read from the table of contents beforehand: an
entry's owner stands there by itself, the others in statements that pg_dump writes in few forms, each with its role
after one of a handful of words.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from pathlib import Path

from stewardd.backup.restoring.table_of_contents import NeedMore, TocEntry, with_roles
from stewardd.errors import Corrupt

_GRANTING = frozenset({"ACL", "DEFAULT ACL"})
_POLICY = "POLICY"
_USER_MAPPING = "USER MAPPING"
KINDS_WITH_ROLES = _GRANTING | {_POLICY, _USER_MAPPING}
_PUBLIC = frozenset({"public", "current_user", "current_role", "session_user"})
_TOKEN = re.compile(
    r"""
    "(?:[^"]|"")*"            # a quoted name
  | '(?:[^']|'')*'            # a literal
  | --[^\n]*                  # a comment
  | [^\W\d][\w$]*             # a word
  | \s+
  | .
    """,
    re.VERBOSE | re.DOTALL,
)


def roles_of(entries: Iterable[TocEntry], *, with_owners: bool = True) -> frozenset[str]:
    """Every role that must be there for these entries to be restored, with their owners and rights or without.

    A policy and a user mapping name their roles also where owners and rights are left out.
    """
    found: set[str] = set()
    for entry in entries:
        if entry.owner and with_owners:
            found.add(entry.owner)
        if entry.kind in _GRANTING and not with_owners:
            continue
        for token, is_role in _marked(entry.kind, entry.definition):
            if is_role:
                found.add(unquoted(token))
    return frozenset(found)


class Roles:
    """Puts other roles in the place of those that a dump names, in its table of contents."""

    def __init__(self, roles: Mapping[str, str]) -> None:
        self._roles = dict(roles)

    def replace_in_file(self, path: Path) -> None:
        """Writes the table of contents of a folder anew. Raises: Corrupt."""
        try:
            path.write_bytes(self._replaced(path.read_bytes()))
        except NeedMore:
            raise Corrupt("the table of contents of the dump is cut off") from None

    async def replaced_in(self, dump: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The chunks of a stream, of which the first is as long as its table of contents. Raises: Corrupt."""
        head, tried_at, is_done = bytearray(), 0, False
        async for chunk in dump:
            if is_done:
                yield chunk
                continue
            head += chunk
            if len(head) < 2 * tried_at:  # a long table is not read anew with every chunk
                continue
            tried_at = len(head)
            try:
                yield await asyncio.to_thread(self._replaced, bytes(head))
                is_done = True
            except NeedMore:
                continue
        if not is_done:
            try:
                yield await asyncio.to_thread(self._replaced, bytes(head))
            except NeedMore:
                raise Corrupt("the table of contents of the dump is cut off") from None

    def _replaced(self, data: bytes) -> bytes:
        return with_roles(
            data,
            lambda owner: self._roles.get(owner, owner),
            lambda kind, definition: replaced(kind, definition, self._roles),
        )


def replaced(kind: str, definition: str, roles: Mapping[str, str]) -> str:
    """The statements of an entry with other roles in the place of those that `roles` names."""
    if kind not in KINDS_WITH_ROLES:
        return definition
    return "".join(
        quoted_role(roles[unquoted(token)]) if is_role and unquoted(token) in roles else token
        for token, is_role in _marked(kind, definition)
    )


def unquoted(token: str) -> str:
    """A name as the catalogs have it."""
    return token[1:-1].replace('""', '"') if token.startswith('"') else token.lower()


def quoted_role(name: str) -> str:
    """A name as SQL has it."""
    return '"' + name.replace('"', '""') + '"'


def _marked(kind: str, definition: str) -> Iterator[tuple[str, bool]]:
    """The tokens of an entry's statements, and which of them is a role."""
    if kind not in KINDS_WITH_ROLES:
        return
    statement: list[str] = []
    for token in _TOKEN.findall(definition):
        statement.append(token)
        if token.startswith(";"):
            yield from _marked_statement(kind, statement)
            statement = []
    yield from _marked_statement(kind, statement)


def _marked_statement(kind: str, tokens: list[str]) -> Iterator[tuple[str, bool]]:
    places = _role_places(kind, tokens)
    for place, token in enumerate(tokens):
        yield (
            token,
            place in places
            and unquoted(token) not in (_PUBLIC if not token.startswith('"') else ()),
        )


def _role_places(kind: str, tokens: list[str]) -> frozenset[int]:
    """The places of the roles of one statement."""
    words = [(place, each.upper()) for place, each in enumerate(tokens) if not _is_blank(each)]
    if not words:
        return frozenset()
    keys = [word for _, word in words]
    found: set[int] = set()
    if kind in _GRANTING:
        if keys[:3] == ["SET", "SESSION", "AUTHORIZATION"] and len(words) > 3:
            found.add(words[3][0])
        if keys[:5] == ["ALTER", "DEFAULT", "PRIVILEGES", "FOR", "ROLE"] and len(words) > 5:
            found.add(words[5][0])
        marker = "FROM" if "REVOKE" in keys else "TO" if "GRANT" in keys else ""
        found |= _list_after(words, marker)
    elif kind == _POLICY:
        found |= _list_after(words, "TO")
    elif kind == _USER_MAPPING:
        found |= _list_after(words, "FOR")
    return frozenset(found)


def _list_after(words: list[tuple[int, str]], marker: str) -> set[int]:
    """The places of the names behind a word, and behind the commas after it; of several such words the last in order.

    A quoted name is never the word. Behind a policy's roles conditions follow, which may hold the word again: there
    the first one that stands outside of parentheses counts.
    """
    depth, start = 0, None
    for position, (_, word) in enumerate(words):
        depth += (word == "(") - (word == ")")
        if depth == 0 and word == marker:
            start = position + 1
            break
    found: set[int] = set()
    while start is not None and start < len(words):
        found.add(words[start][0])
        if start + 1 >= len(words) or words[start + 1][1] != ",":
            break
        start += 2
    return found


def _is_blank(token: str) -> bool:
    return token.isspace() or token.startswith("--")
