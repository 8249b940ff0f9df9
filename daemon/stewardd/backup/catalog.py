"""The backups that exist: one by its id, or pages of them, newest first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stewardd.backup.manifest.backup import BackupManifest
from stewardd.backup.manifest.checked import CheckedManifests
from stewardd.backup.manifest.codec import SIGNED_MANIFEST, SignedManifests
from stewardd.errors import BackupNotFound, InvalidRequest, ObjectNotFound
from stewardd.repository.backend.store import Store
from stewardd.repository.catalog import Catalog

KIND = "backups"


@dataclass(frozen=True, slots=True)
class BackupPage:
    """Backups of a listing, and the token of the page after; "" after the last."""

    items: tuple[BackupManifest, ...]
    next_page_token: str


class BackupCatalog:
    """Reads manifests; see repository/catalog.py for how a listing stays stable.

    `checked` are those whose signatures were checked before.
    """

    def __init__(self, store: Store, checked: CheckedManifests | None = None) -> None:
        self._checked = checked
        codec = SIGNED_MANIFEST if checked is None else SignedManifests(checked)
        self._catalog = Catalog(store, KIND, codec, id_of=lambda manifest: manifest.backup_id)

    async def keep_checked(self) -> None:
        """Keeps which manifests were checked, over a restart."""
        if self._checked is not None:
            await asyncio.to_thread(self._checked.save)

    async def get(self, backup_id: str) -> BackupManifest:
        """One backup. Raises: BackupNotFound, also for what is no id; Corrupt."""
        try:
            return await self._catalog.get(backup_id)
        except (ObjectNotFound, InvalidRequest):
            raise BackupNotFound(f"there is no backup {backup_id}") from None

    async def read(self, identifiers: Sequence[str]) -> list[BackupManifest]:
        """Those of these backups that exist; what cannot be read is logged, and left out. Raises: RepositoryDown."""
        return [each.manifest for each in await self._catalog.read(identifiers)]

    def identifiers(self) -> AsyncGenerator[str, None]:
        """The ids of all backups, newest first, unread, and of those that are being made."""
        return self._catalog.identifiers()

    async def page(
        self,
        page_size: int,
        page_token: str = "",
        id_prefix: str = "",
        scope: Mapping[str, Any] | None = None,
        accept: Callable[[BackupManifest], bool] = lambda _: True,
    ) -> BackupPage:
        """A page, newest first, of what `accept` accepts; `scope` is the filter that it stands for.

        What cannot be read is logged, and left out. Raises: InvalidRequest for a token of another listing.
        """
        page = await self._catalog.page(
            page_size=page_size,
            page_token=page_token,
            id_prefix=id_prefix,
            scope=scope,
            accept=lambda entry: accept(entry.manifest),
        )
        return BackupPage(tuple(entry.manifest for entry in page.entries), page.next_page_token)
