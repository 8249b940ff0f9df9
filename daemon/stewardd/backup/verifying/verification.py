"""Proves backups as operations: after each backup, what is left at times, and on demand.

Any daemon of the repository that holds the key may do it. A trial that the daemon begins by itself has a request_id
that names the backup and its state, so that the claim on it (repository/claims.py) gives the other daemons the same
operation. What it came to is stored in the backup's states, also where another change was faster.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from stewardd.backup.catalog import BackupCatalog
from stewardd.backup.inventory import BackupInventory, KnownBackup
from stewardd.backup.manifest.backup import BackupManifest
from stewardd.backup.proof import BackupProof, ProofState
from stewardd.backup.states import BackupState, BackupStates, StateOvertaken
from stewardd.backup.verifying.progress import (
    VERIFY_PROGRESS,
    VERIFY_RESPONSE,
    VerifyPhase,
    VerifyProgress,
    VerifyResponse,
)
from stewardd.backup.verifying.source_check import SourceChecks
from stewardd.backup.verifying.trial import BackupTrials, Report
from stewardd.errors import BackupDeleted, Cancelled, Conflict, Corrupt, Exhausted, StewardError
from stewardd.operations.kinds import VERIFY_BACKUP
from stewardd.operations.operations import Operations
from stewardd.operations.running import OperationContext
from stewardd.operations.state import OperationState
from stewardd.repository.attempts import repeat_while_overtaken
from stewardd.telemetry import logger

log = logger("backup")

ACTOR = "verification"
_ATTEMPTS = 64
_MOST_ATTEMPTS = 20
_LONGEST_PAUSE = timedelta(hours=6)
# A daemon that has what another one lacked tries again.
_ELSEWHERE = "KEY_MISSING"


@dataclass(frozen=True, slots=True)
class VerificationPolicy:
    """When the daemon tries backups by itself. `retry` is the pause before the second trial of one that could not run.

    Each further pause is twice as long, up to six hours.
    """

    automatic: bool = True
    retry: timedelta = timedelta(minutes=5)

    def is_due(self, backup: KnownBackup, now: datetime, *, readable: bool) -> bool:
        """Whether a backup is to be tried now, by a daemon that can read it or cannot."""
        proof = backup.state.proof
        if backup.state.deleted:
            return False
        if proof is None:
            return True
        if proof.outcome is ProofState.COULD_NOT_RUN:
            pause = min(self.retry * 2 ** min(proof.attempts, 20), _LONGEST_PAUSE)
            return bool(now - proof.time >= pause)
        return proof.outcome is ProofState.UNVERIFIABLE and proof.reason == _ELSEWHERE and readable


class BackupVerification:
    """Starts trials, and keeps what they come to."""

    def __init__(
        self,
        operations: Operations,
        trials: BackupTrials,
        catalog: BackupCatalog,
        states: BackupStates,
        inventory: BackupInventory,
        source_checks: SourceChecks,
        policy: VerificationPolicy,
        now: Callable[[], datetime],
    ) -> None:
        self._operations = operations
        self._trials = trials
        self._catalog = catalog
        self._states = states
        self._inventory = inventory
        self._source_checks = source_checks
        self._policy = policy
        self._now = now
        self._begun: set[str] = set()
        self._looking = asyncio.Lock()

    async def start(
        self, backup_id: str, request_id: str, *, checks_source: bool = False
    ) -> OperationState:
        """Starts a trial, or returns the operation that this request_id started before.

        One that `checks_source` looks for damage in the files of the database as well, after the trial.
        Raises: BackupNotFound, BackupDeleted, RequestIdReused, RequestInProgress, Exhausted.
        """
        try:
            database = (await self._catalog.get(backup_id)).database
        except Corrupt:
            database = ""  # which is what the trial will find
        if (await self._states.of(backup_id)).deleted:
            raise BackupDeleted(f"backup {backup_id} is deleted")

        async def work(context: OperationContext) -> dict[str, Any]:
            def report(progress: VerifyProgress) -> None:
                context.report(VERIFY_PROGRESS.to_json(progress))

            proof = await self.verify(backup_id, report)
            source = None
            if checks_source:
                report(VerifyProgress(backup_id, database, VerifyPhase.CHECKING_SOURCE))
                source = await self._source_checks.run(database)
            return VERIFY_RESPONSE.to_json(VerifyResponse(backup_id, database, proof, source))

        return await self._operations.start_once(
            VERIFY_BACKUP,
            request_id,
            asked={"backup": backup_id} | ({"amcheck": True} if checks_source else {}),
            metadata=VERIFY_PROGRESS.to_json(VerifyProgress(backup_id, database)),
            work=work,
        )

    async def verify(self, backup_id: str, report: Report) -> BackupProof:
        """Tries a backup and keeps its proof. Raises: BackupNotFound, RepositoryDown."""
        try:
            manifest = await self._catalog.get(backup_id)
        except Corrupt as error:
            return await self._keep(backup_id, self._trials.refused(error))
        return await self._keep(backup_id, await self._trials.run(manifest, report))

    async def try_manifest(self, manifest: BackupManifest, report: Report) -> BackupProof:
        """The same of a manifest that was read."""
        return await self._keep(manifest.backup_id, await self._trials.run(manifest, report))

    async def look(self) -> None:
        """Starts a trial of each backup that is due, newest first. Raises: RepositoryDown."""
        if not self._policy.automatic:
            return
        async with self._looking:
            now = self._now()
            for each in await self._inventory.read():
                readable = self._trials.can_read(each.facts.recipients)
                is_due = self._policy.is_due(each, now, readable=readable)
                if is_due and each.backup_id not in self._begun and not await self._begin(each):
                    return

    def hear(self, state: OperationState) -> None:
        """Hears of an operation of this daemon that has ended."""
        if state.kind == VERIFY_BACKUP.name:
            self._begun.discard(str(state.metadata.get("backup")))

    async def _begin(self, backup: KnownBackup) -> bool:
        """Begins a trial, anew where the daemon died that had begun it; returns whether there is room for others."""
        backup_id = backup.backup_id
        self._begun.add(backup_id)
        try:
            for attempt in range(_MOST_ATTEMPTS):
                request_id = f"verify-{backup_id}-{backup.state.number}-{attempt}"
                state = await self.start(backup_id, request_id)
                if not state.done:
                    return True
                if state.error is None or state.error.reason == Cancelled.reason:
                    break
        except Exhausted:
            self._begun.discard(backup_id)
            return False
        except StewardError as error:
            log.info("trial not begun", backup=backup_id, reason=error.reason, error=error.message)
        self._begun.discard(backup_id)
        return True

    async def _keep(self, backup_id: str, proof: BackupProof) -> BackupProof:
        async def attempt() -> BackupProof:
            found = await self._states.of(backup_id)
            before = found.state or BackupState(self._now())
            kept = replace(proof, attempts=_attempts(before.proof, proof))
            if not _replaces(before.proof, kept):
                return kept
            with suppress(Corrupt):
                await self._catalog.get(backup_id)  # no state is put beside what is gone
            state = replace(before, time=self._now(), actor=ACTOR, proof=kept)
            await self._states.commit(backup_id, found, state)
            return kept

        return await repeat_while_overtaken(
            attempt,
            StateOvertaken,
            attempts=_ATTEMPTS,
            failure=Conflict("others change the state of this backup all the time"),
        )


def _attempts(before: BackupProof | None, proof: BackupProof) -> int:
    if proof.outcome is not ProofState.COULD_NOT_RUN:
        return 0
    return (before.attempts if before is not None else 0) + 1


def _replaces(before: BackupProof | None, proof: BackupProof) -> bool:
    """A trial that says nothing of the backup does not take back what another one has found."""
    if before is None or before.outcome in (ProofState.PENDING, ProofState.COULD_NOT_RUN):
        return True
    if proof.outcome in (ProofState.VERIFIED, ProofState.CORRUPT):
        return True
    return before.outcome is ProofState.UNVERIFIABLE
