"""The restores that have begun to make something, as the repository knows them; what a killed daemon left is found so.

    unfinished-restores/<token>.json        there while a restore fills its new database, or has made roles

The database carries the same token: in its name while it is made, then in its comment (marked.py). A database of
that name that somebody else made has another comment or none, and so has one that a daemon on another repository fills.
A role that the restore makes has the comment too.
"""

from __future__ import annotations

from dataclasses import dataclass

from stewardd.errors import Corrupt, ObjectNotFound
from stewardd.repository.backend.store import Store
from stewardd.repository.document import Codec, Moment
from stewardd.repository.identifiers import is_id, uuid7
from stewardd.telemetry import logger

log = logger("backup")

ROOT = "unfinished-restores"
_COMMENT = "steward: an unfinished restore, "
_FIRST_NAME = "unfinished_restore_"
_SUFFIX = ".json"


@dataclass(frozen=True, slots=True)
class UnfinishedRestore:
    """A database that is being filled: on the server of which configured database, its name there, and new roles.

    `server` identifies that server, since two daemons may call two servers the same; "" where it is not known.
    """

    time: Moment
    database: str
    name: str
    roles: tuple[str, ...] = ()
    server: str = ""


UNFINISHED_RESTORE = Codec(UnfinishedRestore, constants={"version": 1})


class UnfinishedRestores:
    """Keeps the records of one repository. Raises: RepositoryDown."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def begin(self, restore: UnfinishedRestore) -> str:
        """Records that something is about to be made; returns the token of the record."""
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
                found[token] = UNFINISHED_RESTORE.decode(body, meta.key)
            except ObjectNotFound:
                continue  # it ended meanwhile
            except Corrupt as error:  # the others are read all the same
                log.error("record of an unfinished restore not read", error=error.message)
        return found


def comment_of(token: str) -> str:
    """The comment that the database and the new roles have meanwhile."""
    return f"{_COMMENT}{token}"


def first_name_of(token: str) -> str:
    """The name under which the database is made, before it gets its own name and its comment."""
    return f"{_FIRST_NAME}{token}"
