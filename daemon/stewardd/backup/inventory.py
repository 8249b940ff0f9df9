"""All backups of the repository at once, with what has happened to them: what retention, Health and metrics look at.

A manifest never changes, so what is needed of it is kept in memory, a few hundred bytes each, and read once. A look
is one listing of the states and one of the names of the backups, and reads only what is new.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from stewardd.backup.catalog import BackupCatalog
from stewardd.backup.manifest.backup import BackupManifest
from stewardd.backup.proof import ProofState
from stewardd.backup.retention.policy import Candidate
from stewardd.backup.states import UNTOUCHED, BackupStates, NumberedState

_READ_AT_ONCE = 128
_READERS = 2  # with more, the time that they wait for the interpreter is longer than what they win


@dataclass(frozen=True, slots=True)
class ManifestFacts:
    """What is kept in memory of a manifest."""

    backup_id: str
    database: str
    snapshot_time: datetime
    create_time: datetime
    stored_size_bytes: int
    recipients: tuple[str, ...]
    replaces: str


@dataclass(frozen=True, slots=True)
class KnownBackup:
    """A backup that exists, its state, and whether it is pinned and how far proven, here or in the other repository."""

    facts: ManifestFacts
    state: NumberedState
    pinned: bool
    proof: ProofState

    @property
    def backup_id(self) -> str:
        """Its id."""
        return self.facts.backup_id

    @property
    def candidate(self) -> Candidate:
        """The backup as a retention sees it."""
        facts = self.facts
        return Candidate(
            facts.backup_id,
            facts.snapshot_time,
            self.proof,
            pinned=self.pinned,
            replaces=facts.replaces,
        )


class BackupInventory:
    """Reads the inventory of one repository.

    `other_states` are those of the same backups in another repository: what is pinned or proven there is so here too. A
    manifest may say that it replaces another backup only where `trusts` says so of its signer: anybody could sign it.
    """

    def __init__(
        self,
        catalog: BackupCatalog,
        states: BackupStates,
        other_states: BackupStates | None = None,
        trusts: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._catalog = catalog
        self._states = states
        self._other_states = other_states
        self._trusts = trusts
        self._facts: dict[str, ManifestFacts] = {}
        self._reading = asyncio.Lock()

    async def read(self) -> list[KnownBackup]:
        """Every backup, newest first; one that cannot be read is logged and left out. Raises: RepositoryDown."""
        async with (
            self._reading
        ):  # so that two that look at once don't both read thousands of manifests
            # The states first: a backup that is listed after them and has none was untouched when they were listed.
            states = await self._states.all()
            others = {} if self._other_states is None else await self._other_states.all()
            names = [each async for each in self._catalog.identifiers()]
            known = self._facts
            facts = {each: known[each] for each in names if each in known}
            missing = [each for each in names if each not in known]
            facts |= await self._read_facts(missing)
            if missing:
                await self._catalog.keep_checked()
            self._facts = facts
            return [
                _known(facts[each], states.get(each, UNTOUCHED), others.get(each, UNTOUCHED))
                for each in names
                if each in facts
            ]

    async def _read_facts(self, identifiers: list[str]) -> dict[str, ManifestFacts]:
        parts = (
            identifiers[start : start + _READ_AT_ONCE]
            for start in range(0, len(identifiers), _READ_AT_ONCE)
        )
        facts: dict[str, ManifestFacts] = {}

        async def read_parts() -> None:
            for part in parts:
                for each in await self._catalog.read(part):
                    facts[each.backup_id] = self._facts_of(each)

        # While one reads, the other checks signatures, which does not hold the interpreter.
        readers = [asyncio.create_task(read_parts()) for _ in range(_READERS)]
        try:
            await asyncio.gather(*readers)
        finally:
            for reader in readers:
                reader.cancel()
        return facts

    def _facts_of(self, manifest: BackupManifest) -> ManifestFacts:
        return ManifestFacts(
            manifest.backup_id,
            manifest.database,
            manifest.snapshot_time,
            manifest.create_time,
            manifest.stored_size_bytes,
            manifest.recipients,
            (manifest.replaces or "") if self._trusts(manifest.signer) else "",
        )


def _known(facts: ManifestFacts, state: NumberedState, other: NumberedState) -> KnownBackup:
    own = state.proof_state
    proof = other.proof_state if own is ProofState.PENDING else own
    return KnownBackup(facts, state, state.pinned or other.pinned, proof)


def of_database(backups: Iterable[KnownBackup], database: str) -> list[KnownBackup]:
    """The backups of one database."""
    return [each for each in backups if each.facts.database == database]


def by_database(backups: Iterable[KnownBackup]) -> dict[str, list[KnownBackup]]:
    """The backups of each database that has any, by its name."""
    found: dict[str, list[KnownBackup]] = {}
    for each in backups:
        found.setdefault(each.facts.database, []).append(each)
    return dict(sorted(found.items()))
