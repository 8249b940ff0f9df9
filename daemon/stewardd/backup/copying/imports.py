"""Imports a backup into the repository from the second one, or from where a manifest lies below a configured root.

Nothing is believed of what lies elsewhere: the manifest's signature is checked first, then every object against the
manifest. A request names a place below the roots and never credentials. The next import of a backup goes on with what a
dead daemon left of it; after a day without one that is removed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from stewardd.backup.catalog import KIND
from stewardd.backup.copying.arrival import give_up, has_manifest, put_manifest, read_manifest
from stewardd.backup.copying.records import CopyRecord, CopyRecords
from stewardd.backup.copying.second_repository import SecondRepository
from stewardd.backup.copying.transfer import Place, Transfer
from stewardd.backup.keys.keyring import Keyring
from stewardd.backup.manifest.backup import BackupManifest
from stewardd.errors import (
    BackupNotFound,
    InvalidRequest,
    NoSecondRepository,
    ObjectNotFound,
    RequestInProgress,
    UriRefused,
)
from stewardd.repository.backend.keys import key_segments
from stewardd.repository.backend.store import Store
from stewardd.repository.claims import Claims
from stewardd.repository.identifiers import folder_of
from stewardd.repository.publication import MANIFEST
from stewardd.telemetry import logger

log = logger("backup")

_CLAIM = "BackupImport"
_LEFT_AFTER = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class ImportRoot:
    """A place below which manifests may be imported from."""

    url: str
    open: Callable[[], Store]


class BackupImports:
    """Imports backups into one repository."""

    def __init__(
        self,
        store: Store,
        claims: Claims,
        keyring: Keyring,
        second: SecondRepository | None,
        roots: Sequence[ImportRoot],
        scratch: Path,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._claims = claims
        self._keyring = keyring
        self._second = second
        self._roots = roots
        self._scratch = scratch
        self._clock = clock
        self._records = CopyRecords(store, "imports")

    async def find(self, backup_id: str, manifest_uri: str) -> Place:
        """The place that a request means: a backup of the second repository, or the folder of a manifest.

        Raises: NoSecondRepository, BackupNotFound, UriRefused, ConfigurationError, RepositoryDown.
        """
        if manifest_uri:
            return self._below_roots(manifest_uri)
        if self._second is None:
            raise NoSecondRepository("no second repository is configured to import from")
        try:
            return Place(await self._second.store(), folder_of(KIND, backup_id))
        except InvalidRequest:
            raise BackupNotFound(f"there is no backup {backup_id}") from None

    async def look(self, place: Place, *, accept_unknown_signer: bool) -> BackupManifest:
        """Reads what would be imported. Raises: BackupNotFound, SignerUnknown, Corrupt, RepositoryDown."""
        return (await self._read(place, accept_unknown_signer))[1]

    async def run(
        self, place: Place, report: Callable[[int], None], *, accept_unknown_signer: bool
    ) -> BackupManifest:
        """Imports a backup under its own name; one that is here already stays as it is.

        Raises: BackupNotFound, SignerUnknown, Corrupt, RequestInProgress, LeaseLost, StorageFull, RepositoryDown.
        """
        body, manifest = await self._read(place, accept_unknown_signer)
        backup_id = manifest.backup_id
        here = Place(self._store, folder_of(KIND, backup_id))
        async with self._claims.exclusively(_CLAIM, backup_id):
            if not await has_manifest(here, body):
                await self._bring(place, here, body, manifest, report)
        return manifest

    async def clear(self) -> None:
        """Removes what imports left that were begun a day ago and never ended. Raises: RepositoryDown."""
        for backup_id, record in (await self._records.read_begun()).items():
            if self._clock() - record.time < _LEFT_AFTER:
                continue
            with suppress(RequestInProgress):
                async with self._claims.exclusively(_CLAIM, backup_id):
                    here = Place(self._store, folder_of(KIND, backup_id))
                    if await give_up(here, self._clock()):
                        await self._records.forget(backup_id)

    async def _bring(
        self,
        place: Place,
        here: Place,
        body: bytes,
        manifest: BackupManifest,
        report: Callable[[int], None],
    ) -> None:
        began_at = time.monotonic()
        record = CopyRecord(self._clock(), place.store.url, manifest.stored_size_bytes)
        await self._records.begin(manifest.backup_id, record)
        await Transfer(place, here, manifest, self._scratch).run(report)
        await put_manifest(here, body)
        await self._records.forget(manifest.backup_id)
        log.info(
            "backup imported",
            backup=manifest.backup_id,
            database=manifest.database,
            source=str(place),
            stored_bytes=manifest.stored_size_bytes,
            elapsed_s=round(time.monotonic() - began_at, 3),
        )

    async def _read(
        self, place: Place, accept_unknown_signer: bool
    ) -> tuple[bytes, BackupManifest]:
        try:
            body, manifest = await read_manifest(place)
        except ObjectNotFound:
            raise BackupNotFound(f"there is no backup at {place}") from None
        if not accept_unknown_signer:
            self._keyring.check_signer(manifest)
        return body, manifest

    def _below_roots(self, uri: str) -> Place:
        path = uri.removeprefix("file://")
        for root in self._roots:
            prefix = f"{root.url.removeprefix('file://').rstrip('/')}/"
            if path.startswith(prefix):
                folder, _, name = path.removeprefix(prefix).rpartition("/")
                place = Place(root.open(), folder)
                if name == MANIFEST and _is_plain(place):
                    return place
        raise UriRefused(
            "the uri names no manifest.json below a root of imports",
            field="manifest_uri",
            hint="name `…/manifest.json` below the url of one of `backup.import_roots`",
        )


def _is_plain(place: Place) -> bool:
    """Whether a folder may be one of a store: no dots that lead out of the root, nothing but plain names."""
    try:
        key_segments(place.key(MANIFEST))
    except ValueError:
        return False
    return True
