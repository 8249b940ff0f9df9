"""The newest backup of each database, kept in memory for who must not wait: read anew when there is a newer one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from stewardd.backup.backups import Backups
from stewardd.backup.manifest.backup import BackupManifest

_PAGE_SIZE = 50
_PAGES_READ = 4


class NewestBackups:
    """Looks back from the newest backup of all, until each database has one, so far and no further."""

    def __init__(self, backups: Backups, databases: Iterable[str]) -> None:
        self._backups = backups
        self._databases = frozenset(databases)
        self._by_database: dict[str, BackupManifest] = {}
        self._newest: str | None = None

    @property
    def by_database(self) -> Mapping[str, BackupManifest]:
        """The newest backup of each database that has one, as `look` found them last."""
        return self._by_database

    async def look(self) -> BackupManifest | None:
        """Looks for newer backups; returns the newest of all, of whichever database. Raises RepositoryDown."""
        first = await self._backups.list(page_size=1, page_token="")
        newest = first.items[0] if first.items else None
        identifier = newest.backup_id if newest else ""
        if identifier != self._newest:
            self._by_database = await self._read()
            self._newest = identifier
        return newest

    async def _read(self) -> dict[str, BackupManifest]:
        found: dict[str, BackupManifest] = {}
        token = ""
        for _ in range(_PAGES_READ):
            page = await self._backups.list(page_size=_PAGE_SIZE, page_token=token)
            for backup in page.items:
                if backup.database in self._databases:
                    found.setdefault(backup.database, backup)
            token = page.next_page_token
            if not token or len(found) == len(self._databases):
                break
        return found
