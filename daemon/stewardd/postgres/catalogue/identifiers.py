"""Names of the catalogue as SQL has them: `schema.table`, `schema.table.column`, each part quoted where it must be."""

from __future__ import annotations

import re

_LAST = re.compile(r'(?P<owner>.*)\.(?P<part>"(?:[^"]|"")*"|[^".]+)', re.DOTALL)
_PART = re.compile(r'"((?:[^"]|"")*)"|([^".(]+)')
_PLAIN = re.compile(r"[a-z_][a-z0-9_$]*")


def split_name(name: str) -> tuple[str, str]:
    """What a name belongs to ("" for nothing), and its last part; both quoted as they were."""
    found = _LAST.fullmatch(name)
    return (found["owner"], found["part"]) if found else ("", name)


def owners(name: str) -> list[str]:
    """A name and all that it belongs to: of `public.users.email` also `public.users` and `public`."""
    found = [name]
    while (owner := split_name(found[-1])[0]) and "(" not in found[-1]:
        found.append(owner)
    if "(" in name:  # a function: the dots of its arguments are no owners
        found.append(split_name(name.partition("(")[0])[0])
    return found


def plain_parts(name: str) -> tuple[str, ...]:
    """The parts of a name without their quotes; of a function without its arguments."""
    found: list[str] = []
    place = 0
    while part := _PART.match(name, place):
        found.append(part[2] or part[1].replace('""', '"'))
        place = part.end()
        if name[place : place + 1] != ".":
            break
        place += 1
    return tuple(found)


def quoted(word: str) -> str:
    """An identifier, in quotes where it must be; a plain word without `_` may be a keyword, and is quoted as well."""
    is_plain = _PLAIN.fullmatch(word) and "_" in word
    return word if is_plain else '"' + word.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as SQL has it."""
    escaped = text.replace("'", "''")
    return f"E'{escaped}'".replace("\\", "\\\\") if "\\" in text else f"'{escaped}'"
