"""Deletes backups in two steps, and pins them.

A deleted backup is marked, and loses its data after the grace of its database's retention; until then it can be had
back. No database loses its last good backup: the rule is asked before a mark is put, and again after it, on what the
repository says then. Of two daemons that delete the last two at once, one sees the other's mark and takes its own back.

To purge is to say so (a state that is final), to ask the rule again, then to delete the manifest, the data and the
states, in this order. A daemon that is killed in between leaves a state by which the next purge goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from stewardd.backup.catalog import KIND, BackupCatalog
from stewardd.backup.inventory import BackupInventory, KnownBackup, by_database, of_database
from stewardd.backup.retention.policy import Candidate, RetentionPolicy
from stewardd.backup.retention.removal import Marked, is_last_good, to_purge
from stewardd.backup.states import BackupState, BackupStates, NumberedState, StateOvertaken
from stewardd.errors import BackupDeleted, BackupPinned, Conflict, LastBackup, RequestInProgress
from stewardd.repository.attempts import repeat_while_overtaken
from stewardd.repository.backend.store import Store
from stewardd.repository.identifiers import folder_of
from stewardd.repository.publication import exists, manifest_key
from stewardd.telemetry import logger

_log = logger("backup")
_ATTEMPTS = 64


@dataclass(frozen=True, slots=True)
class PinRequest:
    """Whether a backup is to be pinned, why, and who says so."""

    pinned: bool
    note: str
    actor: str


class BackupDeletion:
    """Marks, takes marks back, pins, and purges. `policy_of` gives the retention of a database, `now` the time.

    `exclusively` keeps others from writing a backup's objects while they are removed, and raises RequestInProgress
    while somebody does: only copies can be made again under their old names.
    """

    def __init__(
        self,
        store: Store,
        catalog: BackupCatalog,
        states: BackupStates,
        inventory: BackupInventory,
        policy_of: Callable[[str], RetentionPolicy],
        now: Callable[[], datetime],
        exclusively: Callable[[str], AbstractAsyncContextManager[None]] = lambda _: nullcontext(),
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._states = states
        self._inventory = inventory
        self._policy_of = policy_of
        self._now = now
        self._exclusively = exclusively

    def purge_time(self, database: str, state: NumberedState) -> datetime | None:
        """When a deleted backup may lose its data."""
        if state.state is None or state.state.delete_time is None:
            return None
        return _later(state.state.delete_time, self._policy_of(database).grace)

    async def delete(self, backup_id: str, actor: str) -> NumberedState:
        """Marks a backup as deleted; one that is so already stays as it is.

        Raises: BackupNotFound, BackupPinned, LastBackup, Corrupt.
        """
        database = (await self._catalog.get(backup_id)).database
        found = await self._states.of(backup_id)
        if found.deleted:
            return found
        await self._refuse_last(backup_id, database)

        def mark(before: BackupState) -> BackupState:
            if before.pinned:
                raise BackupPinned(f"backup {backup_id} is pinned")
            if before.delete_time is not None:
                return before
            return replace(before, delete_time=self._now())

        marked = await self._change(backup_id, actor, mark)
        try:
            await self._refuse_last(backup_id, database)
        except LastBackup:
            await self.undelete(backup_id, actor)
            raise
        _log.info("backup deleted", backup=backup_id, database=database, actor=actor)
        return marked

    async def undelete(self, backup_id: str, actor: str) -> NumberedState:
        """Takes the mark back, as long as the data are there. Raises: BackupNotFound, BackupDeleted, Corrupt."""

        def restore(before: BackupState) -> BackupState:
            if before.purging:
                raise BackupDeleted(f"the data of backup {backup_id} are being removed", hint="")
            return replace(before, delete_time=None)

        await self._catalog.get(backup_id)
        return await self._change(backup_id, actor, restore)

    async def pin(self, backup_id: str, request: PinRequest) -> NumberedState:
        """Pins a backup, which no rule and no call deletes then, or unpins it.

        Raises: BackupNotFound, BackupDeleted, Corrupt.
        """

        def change(before: BackupState) -> BackupState:
            if before.delete_time is not None:
                raise BackupDeleted(f"backup {backup_id} is deleted")
            return replace(before, pinned=request.pinned, pin_note=request.note)

        await self._catalog.get(backup_id)
        return await self._change(backup_id, request.actor, change)

    async def mark(self, backups: Sequence[KnownBackup], database: str, actor: str) -> list[str]:
        """Marks what a plan lets go, unless something happened to it since it was planned; returns the marked."""
        marked = []
        for each in backups:
            now = self._now()
            state = replace(_state_of(each.state, now), delete_time=now, time=now, actor=actor)
            try:
                await self._states.commit(each.backup_id, each.state, state)
            except StateOvertaken:
                continue  # it was pinned, say: the next pruning plans anew
            marked.append(each.backup_id)
        if not marked:
            return []
        there = of_database(await self._inventory.read(), database)
        return [each for each in marked if not await self._take_back(each, there, actor)]

    async def purge(self) -> list[str]:
        """Removes the data of what was deleted long enough ago, and what an earlier purge left; returns the purged."""
        purged: list[str] = []
        backups = await self._inventory.read()
        for database, own in by_database(backups).items():
            due = self._due(own, database)
            said = [each for each in due if await self._say_purging(each)]
            if said:
                purged += await self._purge_all(said, database)
        await self._finish({each.backup_id for each in backups})
        return purged

    def _due(self, own: Sequence[KnownBackup], database: str) -> list[KnownBackup]:
        marked = [
            Marked(each.candidate, each.state.state.delete_time, each.state.purging)
            for each in own
            if each.state.state is not None and each.state.state.delete_time is not None
        ]
        kept = [each.candidate for each in own if not each.state.deleted]
        found = {each.backup_id: each for each in own}
        due = to_purge(marked, kept, self._policy_of(database), self._now())
        return [found[each] for each in due]

    async def _say_purging(self, backup: KnownBackup) -> bool:
        if backup.state.purging:
            return True
        now = self._now()
        state = replace(_state_of(backup.state, now), purging=True, time=now)
        try:
            await self._states.commit(backup.backup_id, backup.state, state)
        except StateOvertaken:
            return False  # taken back meanwhile, or another daemon says the same
        return True

    async def _purge_all(self, backups: Sequence[KnownBackup], database: str) -> list[str]:
        there = of_database(await self._inventory.read(), database)
        others = [each.candidate for each in there if not each.state.purging]
        purged = []
        for each in backups:
            if is_last_good(each.candidate, others):
                _log.error("the last good backup keeps its data", backup=each.backup_id)
                continue
            if await self._remove(each.backup_id):
                purged.append(each.backup_id)
                _log.info("backup purged", backup=each.backup_id, database=database)
        return purged

    async def _remove(self, backup_id: str, *, if_it_exists: bool = True) -> bool:
        """Removes all of a backup, the manifest first: without it there is no backup, whatever else is left.

        Returns False, and leaves it to the next purge, where somebody else writes or removes its objects now.
        """
        try:
            async with self._exclusively(backup_id):
                if not if_it_exists and await self._exists(backup_id):
                    return False
                await self._store.delete(manifest_key(KIND, backup_id))
                await self._store.delete_prefix(folder_of(KIND, backup_id))
                await self._states.forget(backup_id)
        except RequestInProgress:
            return False
        return True

    async def _finish(self, existing: set[str]) -> None:
        """Ends the purges of killed daemons: states of backups whose manifest is gone."""
        for backup_id in await self._states.all():
            if backup_id in existing or await self._exists(backup_id):
                continue
            if await self._remove(backup_id, if_it_exists=False):
                _log.info("purge of a backup ended", backup=backup_id)

    async def _exists(self, backup_id: str) -> bool:
        return await exists(self._store, manifest_key(KIND, backup_id))

    async def _take_back(self, backup_id: str, there: Sequence[KnownBackup], actor: str) -> bool:
        """Takes a mark back that was put while others deleted all other good backups."""
        own = next((each.candidate for each in there if each.backup_id == backup_id), None)
        if own is None or not is_last_good(own, _others(own, there)):
            return False
        await self.undelete(backup_id, actor)
        return True

    async def _refuse_last(self, backup_id: str, database: str) -> None:
        there = of_database(await self._inventory.read(), database)
        for each in there:
            if each.backup_id == backup_id and is_last_good(
                each.candidate, _others(each.candidate, there)
            ):
                raise LastBackup(f"{backup_id} is the last good backup of database {database!r}")

    async def _change(
        self, backup_id: str, actor: str, change: Callable[[BackupState], BackupState]
    ) -> NumberedState:
        async def attempt() -> NumberedState:
            found = await self._states.of(backup_id)
            before = _state_of(found, self._now())
            after = change(before)
            if after == before:
                return found
            return await self._states.commit(
                backup_id, found, replace(after, time=self._now(), actor=actor)
            )

        return await repeat_while_overtaken(
            attempt,
            StateOvertaken,
            attempts=_ATTEMPTS,
            failure=Conflict("others change the state of this backup all the time"),
        )


def _state_of(found: NumberedState, now: datetime) -> BackupState:
    return found.state or BackupState(now)


def _others(backup: Candidate, there: Sequence[KnownBackup]) -> list[Candidate]:
    return [
        each.candidate
        for each in there
        if not each.state.deleted and each.backup_id != backup.backup_id
    ]


def _later(moment: datetime, span: timedelta) -> datetime | None:
    try:
        return moment + span
    except OverflowError:
        return None
