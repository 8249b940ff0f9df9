"""The writer's lease: by it a daemon knows that it may publish, and other daemons know that it may still live.

A heartbeat object is overwritten every `heartbeat_s`. The writer counts `ttl_s` from before it began its last good
heartbeat, on its own clock; all others count from after it, on the storage's clock, and add a grace. So the writer
always gives up first. A lost lease never comes back: the daemon goes on under a new incarnation, and what it began
under the old one fails with LeaseLost instead of being published.

A lease does not stop a writer that is paused between its check and its put, as no clock can; `publication.fence` does.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

from stewardd.errors import LeaseLost, ObjectExists, StewardError
from stewardd.repository.backend.store import Store
from stewardd.repository.identifiers import uuid7
from stewardd.repository.identity import Identity
from stewardd.repository.liveness import (
    DEATH_CODEC,
    HEARTBEAT_CODEC,
    ROOT,
    DeathDocument,
    HeartbeatDocument,
    LeaseRef,
    Liveness,
    read_liveness,
)
from stewardd.telemetry import logger

_log = logger("repository")


def boottime() -> float:
    """Seconds on a clock that also counts while the machine sleeps, which CLOCK_MONOTONIC on Linux does not."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class WriterLease:
    """A daemon's lease on one repository. Made by `acquire`, kept by a task of its own, ended by `close`."""

    def __init__(
        self,
        store: Store,
        identity: Identity,
        *,
        ttl_s: float = 60,
        heartbeat_s: float = 15,
        grace_s: float = 30,
        monotonic: Callable[[], float] = boottime,
        wall: Callable[[], float] = time.time,
    ) -> None:
        if not 0 < heartbeat_s < ttl_s:
            raise ValueError(f"a heartbeat every {heartbeat_s} s cannot keep a lease of {ttl_s} s")
        self._store = store
        self._identity = identity
        self._ttl_s = ttl_s
        self._heartbeat_s = heartbeat_s
        self._grace_s = grace_s
        self._monotonic = monotonic
        self._wall = wall
        self._ref: LeaseRef | None = None
        self._valid_until = float("-inf")
        self._storage_ahead_s = 0.0
        self._heart: asyncio.Task[None] | None = None
        # The keys of the intents on which tasks of this process work: the sweep leaves them alone.
        self.in_flight: set[str] = set()

    @classmethod
    async def acquire(
        cls,
        store: Store,
        data_dir: Path,
        *,
        ttl_s: float = 60,
        heartbeat_s: float = 15,
        grace_s: float = 30,
        monotonic: Callable[[], float] = boottime,
        wall: Callable[[], float] = time.time,
    ) -> WriterLease:
        """Takes the data folder's name, begins an incarnation, and declares the former ones dead.

        Raises: ConfigurationError when another process holds the data folder, RepositoryDown, StorageFull.
        """
        identity = await asyncio.to_thread(Identity.hold, data_dir)
        lease = cls(
            store,
            identity,
            ttl_s=ttl_s,
            heartbeat_s=heartbeat_s,
            grace_s=grace_s,
            monotonic=monotonic,
            wall=wall,
        )
        try:
            await lease._beat()
            await lease._declare_former_dead()
        except BaseException:
            identity.release()
            raise
        lease._heart = asyncio.create_task(lease._keep(), name="lease")
        return lease

    @property
    def valid(self) -> bool:
        """Whether this writer may publish now."""
        return self._monotonic() < self._valid_until

    @property
    def daemon_id(self) -> str:
        """The daemon's name, which outlives its process."""
        return self._identity.daemon_id

    @property
    def ref(self) -> LeaseRef:
        """The incarnation under which new work begins. Raises: LeaseLost while there is none."""
        if self._ref is None or not self.valid:
            raise LeaseLost(f"daemon {self.daemon_id} holds no lease on the repository now")
        return self._ref

    async def check(self, ref: LeaseRef | None = None) -> None:
        """Call it right before publishing what was begun under `ref`.

        Raises: LeaseLost unless the lease is still held.
        """
        if self.ref != (ref or self._ref):
            raise LeaseLost(f"daemon {self.daemon_id} lost the lease that this was begun under")

    def now(self) -> datetime:
        """The time by the clock of the storage, as of the last heartbeat."""
        return datetime.fromtimestamp(self._wall(), UTC) + timedelta(seconds=self._storage_ahead_s)

    async def liveness(self, ref: LeaseRef) -> Liveness:
        """Whether a writer lives, this one included. Raises: RepositoryDown, Corrupt."""
        if self.valid and ref == self._ref:
            return Liveness.ALIVE
        return await read_liveness(self._store, ref, self.now(), self._grace_s)

    async def close(self) -> None:
        """Ends the lease: declares it dead, as far as the repository can be reached, and frees the data folder."""
        if self._heart is not None:
            self._heart.cancel()
            with suppress(asyncio.CancelledError):
                await self._heart
        if self._ref is not None and self.valid:
            self._valid_until = float("-inf")
            try:
                await self._declare_dead(self._ref)
            except StewardError as error:
                _log.warning("lease left to expire", error=error.message)
        self._identity.release()

    async def _keep(self) -> None:
        """Writes heartbeats as long as the daemon lives. One that fails is logged and tried again soon."""
        pause_s = self._heartbeat_s
        while True:
            await asyncio.sleep(pause_s)
            was_valid = self.valid
            try:
                async with asyncio.timeout(self._heartbeat_s):
                    await self._beat()
                pause_s = self._heartbeat_s
                if not was_valid:
                    _log.warning("lease begun anew", **asdict(self.ref))
            except (StewardError, TimeoutError) as error:
                pause_s = min(1.0, self._heartbeat_s)
                _log.warning("heartbeat failed", error=str(error), lease_valid=self.valid)
            except Exception:  # noqa: BLE001  # an edge: a heart that stopped would cost every publication to come
                pause_s = min(1.0, self._heartbeat_s)
                _log.exception("heartbeat failed unexpectedly", lease_valid=self.valid)

    async def _beat(self) -> None:
        """Writes a sign of life, under a new incarnation where the last one is lost."""
        ref = self._ref if self.valid and self._ref is not None else self._next()
        started = self._monotonic()
        body = HEARTBEAT_CODEC.encode(
            HeartbeatDocument(
                ref.daemon_id, ref.incarnation, self._ttl_s, socket.gethostname(), os.getpid()
            )
        )
        await self._store.put(ref.heartbeat_key, body, overwrite=True)
        meta = await self._store.head(ref.heartbeat_key)
        self._storage_ahead_s = meta.modified_at.timestamp() - self._wall()
        if ref == self._ref and not self.valid:
            raise LeaseLost("a heartbeat took longer than the lease")
        self._ref, self._valid_until = ref, started + self._ttl_s

    def _next(self) -> LeaseRef:
        return LeaseRef(self.daemon_id, uuid7(self._wall))

    async def _declare_former_dead(self) -> None:
        """Declares every former incarnation dead: that this process holds the data folder is the proof."""
        for incarnation in await self._store.folders(f"{ROOT}/{self.daemon_id}"):
            former = LeaseRef(self.daemon_id, incarnation)
            if former != self._ref:
                await self._declare_dead(former)

    async def _declare_dead(self, ref: LeaseRef) -> None:
        with suppress(ObjectExists):
            await self._store.put(ref.death_key, DEATH_CODEC.encode(DeathDocument(self.now())))
