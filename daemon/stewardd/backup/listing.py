"""Backups with what has happened to them since they were made: one by its id, or pages of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from stewardd.backup.catalog import BackupCatalog
from stewardd.backup.manifest.backup import BackupManifest
from stewardd.backup.proof import BackupProof
from stewardd.backup.states import UNTOUCHED, BackupStates, NumberedState

PurgeTime = Callable[[str, NumberedState], datetime | None]
"""When a backup of a database may lose its data; None while it is not deleted."""


@dataclass(frozen=True, slots=True)
class BackupFilter:
    """Which backups are wanted: of one database or of all; those that are deleted or those that are not."""

    database: str = ""
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class ListedBackup:
    """A backup, its state, and how far it is proven, here or in the other repository."""

    manifest: BackupManifest
    state: NumberedState
    proof: BackupProof | None
    purge_time: datetime | None


@dataclass(frozen=True, slots=True)
class ListedPage:
    """Backups of a listing, and the token of the page after; "" after the last."""

    items: tuple[ListedBackup, ...]
    next_page_token: str


class BackupListing:
    """Reads the backups of one repository for callers.

    `other_states` are those of the same backups in another repository: what is proven there is so here too.
    """

    def __init__(
        self,
        catalog: BackupCatalog,
        states: BackupStates,
        purge_time: PurgeTime,
        other_states: BackupStates | None = None,
    ) -> None:
        self._catalog = catalog
        self._states = states
        self._purge_time = purge_time
        self._other_states = other_states

    async def get(self, backup_id: str) -> ListedBackup:
        """One backup, deleted or not. Raises: BackupNotFound, Corrupt."""
        manifest = await self._catalog.get(backup_id)
        state = await self._states.of(backup_id)
        other = UNTOUCHED
        if self._other_states is not None:
            other = await self._other_states.of(backup_id)
        return self._listed(manifest, state, other)

    async def page(
        self, wanted: BackupFilter, *, page_size: int, page_token: str = "", id_prefix: str = ""
    ) -> ListedPage:
        """A page, newest first. Raises: InvalidRequest for a token of another listing."""
        states = await self._states.all()
        others = {} if self._other_states is None else await self._other_states.all()

        def state(manifest: BackupManifest) -> NumberedState:
            return states.get(manifest.backup_id, UNTOUCHED)

        page = await self._catalog.page(
            page_size,
            page_token,
            id_prefix,
            scope={
                "database": wanted.database,
                "deleted": wanted.deleted,
                "copies": self._other_states is not None,
            },
            accept=lambda manifest: (
                wanted.database in ("", manifest.database)
                and state(manifest).deleted == wanted.deleted
            ),
        )
        items = tuple(
            self._listed(each, state(each), others.get(each.backup_id, UNTOUCHED))
            for each in page.items
        )
        return ListedPage(items, page.next_page_token)

    def _listed(
        self, manifest: BackupManifest, state: NumberedState, other: NumberedState
    ) -> ListedBackup:
        purge_time = self._purge_time(manifest.database, state)
        return ListedBackup(manifest, state, state.proof or other.proof, purge_time)
