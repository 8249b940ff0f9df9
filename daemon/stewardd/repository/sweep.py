"""Removes what dead writers left: data without a manifest, commits that were never made, leases that hold nothing.

It goes by intents, lease by lease, and never lists the repository. What may be swept is a pure decision. The order
makes it safe at any crash: fence the manifest key, then remove the data, and last, when no writer can be at it any
more, the fence and the intent.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from stewardd.errors import Corrupt, ObjectNotFound
from stewardd.repository.backend.store import Store
from stewardd.repository.identifiers import created_at, folder_of, is_id
from stewardd.repository.lease import WriterLease
from stewardd.repository.liveness import LeaseRef, Liveness, leases
from stewardd.repository.log import give_up
from stewardd.repository.publication import (
    INTENT_CODEC,
    IntentAction,
    exists,
    fence,
    intents_folder,
    manifest_key,
)
from stewardd.telemetry import logger

_log = logger("repository")


@dataclass(frozen=True, slots=True)
class Swept:
    """What was swept, and why that was allowed."""

    kind: str
    identifier: str
    reason: str


@dataclass(frozen=True, slots=True)
class Intent:
    """Something that a writer began and has not ended."""

    key: str
    kind: str
    identifier: str
    written_at: datetime


def why_sweep(
    intent: Intent,
    *,
    owner: Liveness,
    ours: bool,
    in_flight: bool,
    now: datetime,
    min_age_s: float,
) -> str | None:
    """Why an intent may be swept; None while it may not.

    A writer that is dead for certain needs no waiting. One whose lease has expired may be paused. An intent of our own
    on which no task works was left by a failure, after which a put may still be under way.
    """
    if in_flight:
        return None
    if owner is Liveness.DEAD:
        return "its writer is dead"
    if now - intent.written_at < timedelta(seconds=min_age_s):
        return None
    if owner is Liveness.EXPIRED:
        return "its writer's lease has expired"
    return "its writer gave it up" if ours else None


class Sweep:
    """Sweeps one repository.

    `min_age_s` is for writers that are not certainly dead. A fence outlives what it fenced by `keep_fences_s`; what a
    paused writer puts meanwhile is removed with it.
    """

    def __init__(
        self,
        store: Store,
        lease: WriterLease,
        *,
        min_age_s: float = 600,
        keep_fences_s: float = 86_400,
    ) -> None:
        self._store = store
        self._lease = lease
        self._min_age_s = min_age_s
        self._keep_fences_s = keep_fences_s

    async def run(self) -> list[Swept]:
        """Sweeps once, and returns (and logs) what was swept.

        Raises: RepositoryDown; the next sweep goes on from there.
        """
        swept: list[Swept] = []
        leftovers = await self._store.sweep_leftovers(self._min_age_s)
        if leftovers:
            _log.info("swept temporary files", files=leftovers)
        async for ref in leases(self._store):
            try:
                swept += await self._sweep_lease(ref)
            except Corrupt as error:  # it must not keep the sweep from the other leases
                _log.error("lease not swept", lease=ref.folder, error=error.message)
        return swept

    async def _sweep_lease(self, ref: LeaseRef) -> list[Swept]:
        owner = await self._lease.liveness(ref)
        ours = ref.daemon_id == self._lease.daemon_id
        swept: list[Swept] = []
        async for intent in self._intents(ref):
            reason = why_sweep(
                intent,
                owner=owner,
                ours=ours,
                in_flight=intent.key in self._lease.in_flight,
                now=self._lease.now(),
                min_age_s=self._min_age_s,
            )
            if reason is not None and await self._sweep_intent(intent):
                swept.append(Swept(intent.kind, intent.identifier, reason))
                _log.info("swept", kind=intent.kind, id=intent.identifier, reason=reason)
        if owner is not Liveness.ALIVE:
            await self._forget(ref)
        return swept

    async def _sweep_intent(self, intent: Intent) -> bool:
        """Ends what an intent began; returns whether that removed anything."""
        try:
            found = INTENT_CODEC.decode(await self._store.get(intent.key), intent.key)
        except ObjectNotFound:
            return False  # its writer, or another sweep, was faster
        if found.action is IntentAction.APPEND:
            return await self._sweep_append(intent)
        key = manifest_key(intent.kind, intent.identifier)
        if await exists(self._store, key):
            await self._store.delete(intent.key)  # published; only this was left
            return False
        return await self._sweep_draft(intent, key)

    async def _sweep_append(self, intent: Intent) -> bool:
        """Ends a commit that its writer began: nothing of it stays half done, whether it was made or not."""
        removed = await give_up(self._store, intent.kind, intent.identifier)
        # As a fence does, the intent outlives what it was for: what a paused writer puts meanwhile is removed with it.
        age = self._lease.now() - intent.written_at
        if removed is None or age >= timedelta(seconds=self._keep_fences_s):
            await self._store.delete(intent.key)
        return bool(removed)

    async def _sweep_draft(self, intent: Intent, key: str) -> bool:
        fenced_before = await self._is_there(key)
        if not await fence(self._store, key):
            await self._store.delete(intent.key)  # published while we looked
            return False
        folder = folder_of(intent.kind, intent.identifier)
        data = [meta.key async for meta in self._store.list(folder) if meta.key != key]
        for each in data:
            await self._store.delete(each)
        fenced_at = (await self._store.head(key)).modified_at
        if self._lease.now() - fenced_at >= timedelta(seconds=self._keep_fences_s):
            await self._store.delete_prefix(folder)
            await self._store.delete(intent.key)
        return bool(data) or not fenced_before

    async def _forget(self, ref: LeaseRef) -> None:
        """Removes a lease that has no marks, by the names of its objects: a writer that wakes may write an intent."""
        age = self._lease.now() - created_at(ref.incarnation)
        if age < timedelta(seconds=self._min_age_s):
            return  # it may be beginning: its folder comes before its first heartbeat
        own = (ref.heartbeat_key, ref.death_key)
        async for meta in self._store.list(ref.folder):
            if meta.key not in own:
                return
        for key in own:
            await self._store.delete(key)

    async def _intents(self, ref: LeaseRef) -> AsyncIterator[Intent]:
        root = intents_folder(ref)
        async for meta in self._store.list(root):
            kind, _, name = meta.key.removeprefix(f"{root}/").rpartition("/")
            if is_id(identifier := name.removesuffix(".json")):
                yield Intent(meta.key, kind, identifier, meta.modified_at)

    async def _is_there(self, key: str) -> bool:
        try:
            await self._store.head(key)
        except ObjectNotFound:
            return False
        return True
