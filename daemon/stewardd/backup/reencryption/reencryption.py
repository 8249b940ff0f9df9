"""Replaces the backups that are not encrypted to the configured recipients, one after the other.

A backup is replaced in three steps: the new one is published, the pin moves to it, and the retention drops the old one,
which keeps its data for the grace, as every deleted backup does. After each step both or the new one can be read. A
daemon that is killed in between leaves something from which the next call goes on: what a new backup replaces stands in
its manifest. What cannot be replaced stays as it is, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stewardd.backup.catalog import KIND, BackupCatalog
from stewardd.backup.deletion import BackupDeletion, PinRequest
from stewardd.backup.inventory import BackupInventory, KnownBackup
from stewardd.backup.keys.keyring import Keyring
from stewardd.backup.manifest.backup import BackupManifest
from stewardd.backup.pruning import Pruning
from stewardd.backup.reencryption.resealing import Resealing
from stewardd.backup.states import BackupStates
from stewardd.errors import (
    BackupDeleted,
    BackupNotFound,
    Corrupt,
    KeyMissing,
    RequestInProgress,
    SignerUnknown,
    StewardError,
)
from stewardd.repository.backend.store import Store
from stewardd.repository.claims import Claims
from stewardd.repository.identifiers import created_at, day_of, is_id
from stewardd.telemetry import logger

_log = logger("backup")
_CLAIM = "BackupReencryption"
# What is wrong with one backup, and says nothing of the others.
_OF_ONE = (BackupDeleted, BackupNotFound, Corrupt, KeyMissing, RequestInProgress, SignerUnknown)


@dataclass(frozen=True, slots=True)
class ReencryptionStep:
    """How far it has come: backups that are done, of how many, and the bytes that are stored of the next one."""

    done: int
    total: int
    backup_id: str = ""
    stored_bytes: int = 0


@dataclass(frozen=True, slots=True)
class NotReencrypted:
    """A backup that stays as it is, and why."""

    backup_id: str
    error: StewardError


@dataclass(frozen=True, slots=True)
class Reencrypted:
    """The new backups, and those that stay as they are."""

    made: tuple[str, ...]
    skipped: tuple[NotReencrypted, ...]


class Reencryption:
    """Encrypts the backups of one repository anew. Its objects are those of the repository's retention."""

    def __init__(
        self,
        store: Store,
        claims: Claims,
        resealing: Resealing,
        keyring: Keyring,
        inventory: BackupInventory,
        deletion: BackupDeletion,
        pruning: Pruning,
    ) -> None:
        self._store = store
        self._claims = claims
        self._resealing = resealing
        self._keyring = keyring
        self._inventory = inventory
        self._deletion = deletion
        self._pruning = pruning
        self._catalog = BackupCatalog(store)
        self._states = BackupStates(store)

    def check(self) -> None:
        """Refuses what has nothing to encrypt to. Raises: KeyMissing."""
        if not self._keyring.recipients:
            raise KeyMissing(
                "this daemon encrypts no backups, so there is no key to encrypt them to",
                hint='set `backup.encryption = "age"`',
            )

    async def outdated(self) -> list[KnownBackup]:
        """The backups that are not encrypted to exactly the configured recipients, the newest first."""
        wanted = frozenset(self._keyring.recipients)
        return [
            each
            for each in await self._inventory.read()
            if not each.state.deleted and frozenset(each.facts.recipients) != wanted
        ]

    async def run(self, actor: str, report: Callable[[ReencryptionStep], None]) -> Reencrypted:
        """Replaces all that are outdated. Raises: KeyMissing, LeaseLost, StorageFull, RepositoryDown."""
        self.check()
        made: list[str] = []
        skipped: list[NotReencrypted] = []
        outdated = await self._half_done_first()
        for number, backup_id in enumerate(outdated):
            step = ReencryptionStep(number, len(outdated), backup_id)
            report(step)
            try:
                made.append(await self._replace(backup_id, actor, step, report))
            except _OF_ONE as error:
                _log.warning("backup not encrypted anew", backup=backup_id, error=error.message)
                skipped.append(NotReencrypted(backup_id, error))
        await self._pruning.drop_replaced(actor)
        report(ReencryptionStep(len(outdated), len(outdated)))
        return Reencrypted(tuple(made), tuple(skipped))

    async def _half_done_first(self) -> Sequence[str]:
        """Those that have a replacement already go first: their pins must not move to what is replaced meanwhile."""
        known = await self._inventory.read()
        replaced = {each.facts.replaces for each in known if not each.state.deleted}
        outdated = [each.backup_id for each in await self.outdated()]
        return sorted(outdated, key=lambda each: each not in replaced)

    async def _replace(
        self,
        backup_id: str,
        actor: str,
        step: ReencryptionStep,
        report: Callable[[ReencryptionStep], None],
    ) -> str:
        def stored(count: int) -> None:
            report(ReencryptionStep(step.done, step.total, backup_id, count))

        async with self._claims.exclusively(_CLAIM, backup_id):
            manifest = await self._catalog.get(backup_id)
            # What nobody vouches for must not come out signed by us.
            self._keyring.check_signer(manifest)
            replacement = await self._replacement_of(manifest)
            if replacement is None:
                replacement = (await self._resealing.run(manifest, stored)).backup_id
                _log.info("backup encrypted anew", backup=replacement, replaces=backup_id)
            await self._move_pin(backup_id, replacement, actor)
        return replacement

    async def _replacement_of(self, manifest: BackupManifest) -> str | None:
        """What an earlier attempt, or another daemon, has made of a backup: its id is of the same millisecond."""
        own = manifest.backup_id
        for name in await self._store.folders(f"{KIND}/{day_of(own)}"):
            if name == own or not is_id(name) or created_at(name) != created_at(own):
                continue
            try:
                found = await self._catalog.get(name)
            except (BackupNotFound, Corrupt):
                continue
            is_replacement = found.replaces == own and self._keyring.trusts(found.signer)
            if is_replacement and not (await self._states.of(name)).deleted:
                return name
        return None

    async def _move_pin(self, backup_id: str, replacement: str, actor: str) -> None:
        state = (await self._states.of(backup_id)).state
        if state is None or not state.pinned:
            return
        await self._deletion.pin(replacement, PinRequest(True, state.pin_note, actor))
        await self._deletion.pin(backup_id, PinRequest(False, "", actor))
