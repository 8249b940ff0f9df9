"""Copies backups into the second repository: one that is named, or all that have no copy yet, the newest first.

Of several daemons one copies a backup at a time, by a claim; were it two, both would put the same objects. The first
repository and its backups never wait for the second: a copy that cannot be made now is made later.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from stewardd.backup.catalog import KIND, BackupCatalog
from stewardd.backup.copying.arrival import give_up, has_manifest, put_manifest, read_manifest
from stewardd.backup.copying.records import CopyRecord, CopyRecords
from stewardd.backup.copying.second_repository import SecondRepository
from stewardd.backup.copying.transfer import Place, Transfer
from stewardd.backup.manifest.backup import BackupManifest
from stewardd.backup.states import BackupStates, StateOvertaken
from stewardd.errors import (
    BackupDeleted,
    BackupNotFound,
    Conflict,
    Corrupt,
    InvalidRequest,
    LeaseLost,
    ObjectNotFound,
    RequestInProgress,
    StewardError,
)
from stewardd.repository.attempts import repeat_while_overtaken
from stewardd.repository.backend.store import Store
from stewardd.repository.claims import Claims
from stewardd.repository.identifiers import folder_of
from stewardd.telemetry import logger

log = logger("backup")

_ACTOR = "copy"
_ATTEMPTS = 64
_POLL_S = 0.5
ReportBytes = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class CopyStatus:
    """How the copies stood when they were last looked at: how many are missing by database, and why, if one failed."""

    behind: Mapping[str, int]
    failure: str = ""
    last_made_at: datetime | None = None


class BackupCopies:
    """The copies of one repository's backups in a second one. `scratch` is a folder for files on the way."""

    def __init__(
        self,
        store: Store,
        claims: Claims,
        second: SecondRepository,
        scratch: Path,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._claims = claims
        self._second = second
        self._scratch = scratch
        self._clock = clock
        self._catalog = BackupCatalog(store)
        self._states = BackupStates(store)
        self._records = CopyRecords(store, second.key)
        self._catching_up = asyncio.Lock()
        self.status = CopyStatus({})

    async def url(self) -> str:
        """Where the copies lie, without secrets. Raises: ConfigurationError, RepositoryDown."""
        return (await self._second.store()).url

    async def manifest(self, backup_id: str) -> BackupManifest:
        """What there is to copy. Raises: BackupNotFound, Corrupt."""
        return (await self._read(backup_id))[1]

    async def probe(self) -> None:
        """Looks whether the second repository answers. Raises: ConfigurationError, RepositoryDown, StorageFull."""
        await (await self._second.store()).probe()

    async def copy(self, backup_id: str, report: ReportBytes) -> BackupManifest:
        """Copies one backup, whatever was known of its copy; one that is there already stays as it is.

        A deletion of the copy is taken back, as long as its data are there.

        Raises: BackupNotFound, BackupDeleted while the data of its deleted copy are being removed, Corrupt,
        RequestInProgress where it is being copied already, StorageFull, RepositoryDown.
        """
        target = await self._second.store()
        body, manifest = await self._read(backup_id)
        async with self._alone(backup_id):
            await self._undelete(BackupStates(target), backup_id)
            await self._copy(target, backup_id, body, manifest, report)
        return manifest

    async def copy_in_turn(self, backup_id: str, report: ReportBytes) -> BackupManifest:
        """Copies one backup when nobody else copies it. Raises: as `copy`, but for RequestInProgress."""
        while True:
            # Often it is this daemon itself that copies it, as it does with each backup after it was made.
            try:
                return await self.copy(backup_id, report)
            except RequestInProgress:
                await asyncio.sleep(_POLL_S)

    async def catch_up(self) -> None:
        """Copies what has no copy yet, one after the other, and removes what copies of deleted backups left.

        Raises: RepositoryDown of the first repository. What fails at the second is kept in `status`, and logged.
        """
        async with self._catching_up:
            existing = {each async for each in self._catalog.identifiers()}
            missing = await self._missing(existing)
            failure = ""
            try:
                if missing:
                    await self.probe()  # nothing is claimed for a place that is away
                await self._clear(existing)
                for manifest in list(missing):
                    failure = await self._try(manifest) or failure
                    if not await self._records.is_made(manifest.backup_id):
                        continue
                    missing.remove(manifest)
                    self._count(missing, failure)
            except StewardError as error:
                failure = error.message
                log.warning(
                    "backups not copied",
                    backups=len(missing),
                    reason=error.reason,
                    error=error.message,
                )
            self._count(missing, failure)

    async def _read(self, backup_id: str) -> tuple[bytes, BackupManifest]:
        try:
            body, manifest = await read_manifest(_place(self._store, backup_id))
        except (ObjectNotFound, InvalidRequest):
            raise BackupNotFound(f"there is no backup {backup_id}") from None
        if manifest.backup_id != backup_id:
            raise Corrupt(f"backup {backup_id} has the manifest of another, {manifest.backup_id}")
        return body, manifest

    async def _missing(self, existing: set[str]) -> list[BackupManifest]:
        """The backups without a copy, newest first; those that are deleted need none."""
        states = await self._states.all()
        deleted = {backup_id for backup_id, state in states.items() if state.deleted}
        found = []
        for backup_id in sorted(existing - deleted - await self._records.made(), reverse=True):
            try:
                found.append(await self._catalog.get(backup_id))
            except BackupNotFound:
                continue  # it is being made, or was given up
            except Corrupt as error:
                log.error("backup not copied", backup=backup_id, error=error.message)
        return found

    async def _try(self, manifest: BackupManifest) -> str:
        """Copies one of many; returns why it cannot be copied at all, which must not keep the others waiting."""
        try:
            await self.copy(manifest.backup_id, lambda _: None)
        except (RequestInProgress, BackupNotFound, BackupDeleted):
            return ""
        except (Corrupt, LeaseLost) as error:
            log.error("backup not copied", backup=manifest.backup_id, error=error.message)
            return error.message
        return ""

    async def _undelete(self, states: BackupStates, backup_id: str) -> None:
        async def attempt() -> None:
            found = await states.of(backup_id)
            if found.state is None or not found.deleted:
                return
            if found.purging:
                raise BackupDeleted(
                    f"the deleted copy of backup {backup_id} is being removed",
                    hint="try again later",
                )
            kept = replace(found.state, delete_time=None, time=self._clock(), actor=_ACTOR)
            await states.commit(backup_id, found, kept)

        await repeat_while_overtaken(
            attempt,
            StateOvertaken,
            attempts=_ATTEMPTS,
            failure=Conflict("others change the state of this copy all the time"),
        )

    async def _copy(
        self,
        target: Store,
        backup_id: str,
        body: bytes,
        manifest: BackupManifest,
        report: ReportBytes,
    ) -> None:
        began_at = time.monotonic()
        source, there = _place(self._store, backup_id), _place(target, backup_id)
        record = CopyRecord(self._clock(), target.url, manifest.stored_size_bytes)
        if not await has_manifest(there, body):
            await self._records.begin(backup_id, record)
            await Transfer(source, there, manifest, self._scratch).run(report)
            await put_manifest(there, body)
            log.info(
                "backup copied",
                backup=backup_id,
                url=target.url,
                stored_bytes=manifest.stored_size_bytes,
                elapsed_s=round(time.monotonic() - began_at, 3),
            )
        await self._records.end(backup_id, record)
        self.status = CopyStatus(self.status.behind, self.status.failure, self._clock())

    async def _clear(self, existing: set[str]) -> None:
        """Removes what was begun of copies whose backup is gone, and the records of those that were made."""
        for backup_id in await self._records.made() - existing:
            await self._records.forget(backup_id)
        for backup_id in await self._records.begun() - existing:
            with suppress(RequestInProgress):
                async with self._alone(backup_id):
                    there = _place(await self._second.store(), backup_id)
                    if await give_up(there, self._clock()):
                        await self._records.forget(backup_id)

    def _alone(self, backup_id: str) -> AbstractAsyncContextManager[None]:
        return self._second.exclusively(self._claims, backup_id)

    def _count(self, missing: list[BackupManifest], failure: str) -> None:
        behind = Counter(manifest.database for manifest in missing)
        self.status = CopyStatus(behind, failure, self.status.last_made_at)


def _place(store: Store, backup_id: str) -> Place:
    return Place(store, folder_of(KIND, backup_id))
