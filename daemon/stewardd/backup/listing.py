"""Backups with what has happened to them since they were made: one by its id, or pages of them."""

from __future__ import annotations

from dataclasses import dataclass

from stewardd.backup.catalog import BackupCatalog
from stewardd.backup.manifest.backup import BackupManifest
from stewardd.backup.states import UNTOUCHED, BackupStates, NumberedState


@dataclass(frozen=True, slots=True)
class BackupFilter:
    """Which backups are wanted: of one database or of all; those that are deleted or those that are not."""

    database: str = ""
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class ListedBackup:
    """A backup, and its state."""

    manifest: BackupManifest
    state: NumberedState


@dataclass(frozen=True, slots=True)
class ListedPage:
    """Backups of a listing, and the token of the page after; "" after the last."""

    items: tuple[ListedBackup, ...]
    next_page_token: str


class BackupListing:
    """Reads backups for callers."""

    def __init__(self, catalog: BackupCatalog, states: BackupStates) -> None:
        self._catalog = catalog
        self._states = states

    async def get(self, backup_id: str) -> ListedBackup:
        """One backup, deleted or not. Raises: BackupNotFound, Corrupt."""
        manifest = await self._catalog.get(backup_id)
        return ListedBackup(manifest, await self._states.of(backup_id))

    async def page(
        self, wanted: BackupFilter, *, page_size: int, page_token: str = "", id_prefix: str = ""
    ) -> ListedPage:
        """A page, newest first. Raises: InvalidRequest for a token of another listing."""
        states = await self._states.all()

        def state(manifest: BackupManifest) -> NumberedState:
            return states.get(manifest.backup_id, UNTOUCHED)

        page = await self._catalog.page(
            page_size,
            page_token,
            id_prefix,
            scope={"database": wanted.database, "deleted": wanted.deleted},
            accept=lambda manifest: (
                wanted.database in ("", manifest.database)
                and state(manifest).deleted == wanted.deleted
            ),
        )
        items = tuple(ListedBackup(each, state(each)) for each in page.items)
        return ListedPage(items, page.next_page_token)
