"""The databases that restores have begun to fill, as the repository knows them; what a killed daemon left is found so.

    unfinished-restores/<token>.json        there while a restore fills its new database

The database carries the same token in its comment. A database of that name that somebody else made has another comment
or none, and so has one that a daemon on another repository fills.
"""

from __future__ import annotations

from dataclasses import dataclass

from stewardd.errors import ObjectNotFound
from stewardd.repository.backend.store import Store
from stewardd.repository.document import Codec, Moment
from stewardd.repository.identifiers import is_id, uuid7

ROOT = "unfinished-restores"
_COMMENT = "steward: an unfinished restore, "
_SUFFIX = ".json"


@dataclass(frozen=True, slots=True)
class UnfinishedRestore:
    """A new database that is being filled: on the server of which configured database, and its name there."""

    time: Moment
    database: str
    name: str


UNFINISHED_RESTORE = Codec(UnfinishedRestore, constants={"version": 1})


class UnfinishedRestores:
    """Keeps the records of one repository. Raises: RepositoryDown."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def begin(self, restore: UnfinishedRestore) -> str:
        """Records that a database is about to be made; returns the token of the record."""
        token = uuid7()
        await self._store.put(f"{ROOT}/{token}{_SUFFIX}", UNFINISHED_RESTORE.encode(restore))
        return token

    async def end(self, token: str) -> None:
        """Forgets a record."""
        await self._store.delete(f"{ROOT}/{token}{_SUFFIX}")

    async def all(self) -> dict[str, UnfinishedRestore]:
        """The records that are there, by their tokens."""
        found = {}
        async for meta in self._store.list(ROOT):
            token = meta.key.rpartition("/")[2].removesuffix(_SUFFIX)
            if not is_id(token):
                continue
            try:
                body = await self._store.get(meta.key)
            except ObjectNotFound:
                continue  # it ended meanwhile
            found[token] = UNFINISHED_RESTORE.decode(body, meta.key)
        return found


def comment_of(token: str) -> str:
    """The comment that the database has meanwhile."""
    return f"{_COMMENT}{token}"
