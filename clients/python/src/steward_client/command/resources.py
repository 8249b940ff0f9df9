"""Names of resources: shortened for a table, and found again by what was shortened, by a bare id, or by `latest`.

An id begins with the millisecond of its making, so that thirteen characters (`019a7c3e-5b21`) are as good as unique.
Which id begins with a prefix the daemon says: it reads the names of one day, however many there are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from steward_client.errors import InvalidRequest, NotFound

if TYPE_CHECKING:
    from steward_client.client import Client

LATEST = "latest"
EXAMPLE_ID = "019a7c3e-5b21-7c31-9f60-5a1b2c3d4e5f"
_SHORTEST = 13
_SHOWN = 10
_LOOKED_AT = 1000
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_HEX = re.compile(r"[0-9a-f]{1,8}(-[0-9a-f]{0,4}){0,3}(-[0-9a-f]{0,12})?")
_DASHES = (8, 4, 4, 4, 12)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of resource, and the words for it."""

    collection: str
    word: str
    listing: str
    """The command that lists them."""


BATCH = Kind("batches", "batch", "steward batch list")
BACKUP = Kind("backups", "backup", "steward backup list")
COPY = Kind("backups", "backup", "steward backup list --repository second")
OPERATION = Kind("operations", "operation", "steward operation list")
EXPORT = Kind("exports", "export", "steward quarantine exports BATCH")
_COLLECTIONS = ("batches", "backups", "operations")


def is_name(text: str) -> bool:
    """Whether a text is the full name of a resource that has an id."""
    collection, _, rest = text.partition("/")
    return collection in _COLLECTIONS and _UUID.match(rest) is not None


def shortened(names: Iterable[str]) -> dict[str, str]:
    """Returns each name with its ids shortened to prefixes that no other id of these names begins with.

    >>> shortened(["batches/0193e5c8-7d2a-7c31-9f60-5a1b2c3d4e5f/rows/7"])
    {'batches/0193e5c8-7d2a-7c31-9f60-5a1b2c3d4e5f/rows/7': '0193e5c8-7d2a/rows/7'}
    """
    all_names = list(names)
    ids = sorted({part for name in all_names for part in name.split("/") if _UUID.fullmatch(part)})
    short = {
        each: _prefix(each, [ids[place] for place in (number - 1, number + 1) if 0 <= place < len(ids)])
        for number, each in enumerate(ids)
    }  # fmt: skip
    found = {}
    for name in all_names:
        bare = name.partition("/")[2] if is_name(name) else name
        found[name] = "/".join(short.get(part, part) for part in bare.split("/"))
    return found


def _prefix(identifier: str, neighbours: Sequence[str]) -> str:
    end = _SHORTEST
    while any(each.startswith(identifier[:end]) for each in neighbours):
        end += 1
    return identifier[: end + 1] if identifier[end - 1] == "-" else identifier[:end]


def batch(client: Client, text: str) -> str:
    """Returns the full name of the batch that is meant. Raises InvalidRequest, NotFound."""
    return _found(
        BATCH,
        text,
        lambda prefix, size: client.list_batches(id_prefix=prefix, page_size=size),
        lambda each: each.source_file,
    )


def backup(client: Client, text: str, repository: str = "first") -> str:
    """Returns the full name of the backup of a repository that is meant. Raises InvalidRequest, NotFound."""
    from steward_client.backups.words import BackupRepository

    chosen = BackupRepository(repository)
    kind = BACKUP if chosen is BackupRepository.FIRST else COPY
    return _found(
        kind,
        text,
        lambda prefix, size: client.list_backups(
            id_prefix=prefix, page_size=size, repository=chosen
        ),
        lambda each: each.description,
    )


def operation(client: Client, text: str) -> str:
    """Returns the full name of the operation that is meant. Raises InvalidRequest, NotFound."""
    return _found(
        OPERATION,
        text,
        lambda prefix, size: client.list_operations(id_prefix=prefix, page_size=size),
        lambda _each: "",
    )


def row(client: Client, text: str) -> str:
    """Returns the full name of a row, of which the batch may be shortened. Raises InvalidRequest, NotFound."""
    first, _, number = text.rpartition("/rows/")
    return f"{batch(client, first)}/rows/{number}"


def batch_or_export(client: Client, text: str) -> str:
    """Returns the full name of a batch or of an export of one. Raises InvalidRequest, NotFound."""
    first, separator, last = text.partition("/exports/")
    whole = batch(client, first)
    if not separator:
        return whole

    def listed(prefix: str, _size: int) -> Iterator[Any]:
        # A batch has few exports, oldest first.
        for each in reversed(list(client.list_exports(whole, page_size=1000))):
            if each.name.rpartition("/")[2].startswith(prefix):
                yield each

    found = _found(EXPORT, last, listed, lambda each: each.cursor)
    return found if found.startswith("batches/") else f"{whole}/{found}"


def _found(
    kind: Kind,
    text: str,
    listed: Callable[[str, int], Iterable[Any]],
    described: Callable[[Any], str],
) -> str:
    head, separator, identifier = text.strip().rpartition("/")
    identifier = _dashed(identifier.rstrip("….").lower())
    if identifier == LATEST and head in ("", kind.collection):
        newest = next(iter(listed("", 1)), None)
        if newest is None:
            raise _missing(kind, f"there is no {kind.word} yet")
        return str(newest.name)
    if (separator and head != kind.collection) or not _HEX.fullmatch(identifier):
        raise InvalidRequest(
            f"{text!r} is not the name of {_a(kind.word)}",
            reason="NAME_INVALID",
            hint=f"give a name such as {kind.collection}/{EXAMPLE_ID}, its id or the beginning of it "
            f"({EXAMPLE_ID[:_SHORTEST]}), or {LATEST}; `{kind.listing}` lists them",
        )
    if _UUID.fullmatch(identifier):
        return f"{kind.collection}/{identifier}"
    # An older daemon knows of no prefix, and lists all: then no more than the newest are looked at.
    looked_at = islice(listed(identifier, _SHOWN + 1), _LOOKED_AT)
    fitting = (each for each in looked_at if each.name.rpartition("/")[2].startswith(identifier))
    found = list(islice(fitting, _SHOWN + 1))
    whole = [each for each in found if each.name.rpartition("/")[2] == identifier]
    if len(found) == 1 or whole:
        return str((whole or found)[0].name)
    if not found:
        raise _missing(kind, f"there is no {kind.word} whose id begins with {identifier}")
    raise InvalidRequest(
        f"{identifier} is the beginning of {'more than ' if len(found) > _SHOWN else ''}"
        f"{min(len(found), _SHOWN)} {kind.collection}",
        reason="NAME_AMBIGUOUS",
        hint="give more of the id, of one of these: "
        + ", ".join(_candidate(each.name, described(each)) for each in found[:_SHOWN]),
        metadata={"candidates": ",".join(each.name for each in found[:_SHOWN])},
    )


def _candidate(name: str, words: str) -> str:
    return f"{name} ({words})" if words else name


def _missing(kind: Kind, message: str) -> NotFound:
    return NotFound(
        message,
        reason=f"{kind.word.upper()}_NOT_FOUND",
        hint=f"`{kind.listing}` lists them; a name is such as {kind.collection}/{EXAMPLE_ID}, "
        f"or the beginning of its id ({EXAMPLE_ID[:_SHORTEST]})",
    )


def _dashed(identifier: str) -> str:
    """Returns an id that was written without its dashes with them."""
    if len(identifier) <= _DASHES[0] or "-" in identifier or not _HEX.match(identifier):
        return identifier
    parts, rest = [], identifier
    for length in _DASHES:
        parts.append(rest[:length])
        rest = rest[length:]
    return "-".join(part for part in (*parts[:-1], parts[-1] + rest) if part)


def _a(word: str) -> str:
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"
