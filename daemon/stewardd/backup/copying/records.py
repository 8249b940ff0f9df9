"""What is known of copies in the first repository, so that nobody has to list the second one.

    backup-copies/<place>/begun/<day>/<id>.json    a copy may have objects there, and no manifest yet
                         /made/<day>/<id>.json     the copy was made

The place `imports` is the first repository itself, for what comes from elsewhere. A copy that was made is not made
again, also when the retention of the second repository has deleted it since.
"""

from __future__ import annotations

from dataclasses import dataclass

from stewardd.errors import Corrupt, ObjectNotFound
from stewardd.repository.backend.store import Store
from stewardd.repository.document import Codec, Count, Moment
from stewardd.repository.identifiers import folder_of, is_id
from stewardd.telemetry import logger

ROOT = "backup-copies"

_log = logger("backup")


@dataclass(frozen=True, slots=True)
class CopyRecord:
    """A copy: when it was begun or made, where, and how large the backup is."""

    time: Moment
    url: str
    size_bytes: Count


COPY_RECORD = Codec(CopyRecord, constants={"version": 1})


class CopyRecords:
    """The records of the copies in one place. Raises: RepositoryDown; StorageFull where it writes."""

    def __init__(self, store: Store, place: str) -> None:
        self._store = store
        self._begun = f"{ROOT}/{place}/begun"
        self._made = f"{ROOT}/{place}/made"

    async def begin(self, backup_id: str, record: CopyRecord) -> None:
        """Says that objects of the copy may be there from now on."""
        await self._store.put(
            _key(self._begun, backup_id), COPY_RECORD.encode(record), overwrite=True
        )

    async def end(self, backup_id: str, record: CopyRecord) -> None:
        """Says that the copy is made."""
        await self._store.put(
            _key(self._made, backup_id), COPY_RECORD.encode(record), overwrite=True
        )
        await self._store.delete(_key(self._begun, backup_id))

    async def is_made(self, backup_id: str) -> bool:
        """Whether the copy of this backup was made."""
        try:
            await self._store.head(_key(self._made, backup_id))
        except ObjectNotFound:
            return False
        return True

    async def made(self) -> set[str]:
        """The backups whose copy was made."""
        return await self._identifiers(self._made)

    async def begun(self) -> set[str]:
        """The backups whose copy was begun and not ended."""
        return await self._identifiers(self._begun)

    async def read_begun(self) -> dict[str, CopyRecord]:
        """The records of what was begun and not ended; one that cannot be read is logged, and left out."""
        found = {}
        for backup_id in await self.begun():
            key = _key(self._begun, backup_id)
            try:
                found[backup_id] = COPY_RECORD.decode(await self._store.get(key), key)
            except ObjectNotFound:
                continue  # it ended meanwhile
            except Corrupt as error:
                _log.error("record of a copy not read", backup=backup_id, error=error.message)
        return found

    async def forget(self, backup_id: str) -> None:
        """Removes what is known of the copy of a backup that is gone."""
        await self._store.delete(_key(self._made, backup_id))
        await self._store.delete(_key(self._begun, backup_id))

    async def _identifiers(self, root: str) -> set[str]:
        names = {
            meta.key.rpartition("/")[2].removesuffix(".json")
            async for meta in self._store.list(root)
        }
        return {name for name in names if is_id(name)}


def _key(root: str, backup_id: str) -> str:
    return f"{folder_of(root, backup_id)}.json"
