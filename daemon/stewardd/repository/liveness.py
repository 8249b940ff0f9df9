"""Whether the writer behind a lease still lives: a decision over (heartbeat, now), and the reading that it needs.

    leases/<daemon>/<incarnation>/heartbeat.json    overwritten by its writer while it lives
    leases/<daemon>/<incarnation>/dead.json         create-once: written by the writer, or by its next incarnation
    leases/<daemon>/<incarnation>/<what>/…          marks of what it has begun and not ended

DEAD is certain, EXPIRED is a judgement: a writer may be paused, and wake. Ages are by the clock of the storage, which
stamps the heartbeats of all writers, so that the clocks of their machines need not agree.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from stewardd.errors import ObjectNotFound
from stewardd.repository.backend.store import Store
from stewardd.repository.document import Codec, Count, Identifier, Moment, ObjectName, Seconds
from stewardd.repository.identifiers import is_id

ROOT = "leases"


@dataclass(frozen=True, slots=True)
class LeaseRef:
    """One run of one daemon: its name, and the incarnation under which it writes."""

    daemon_id: ObjectName
    incarnation: Identifier

    @property
    def folder(self) -> str:
        """Where its heartbeat and its marks lie."""
        return f"{ROOT}/{self.daemon_id}/{self.incarnation}"

    @property
    def heartbeat_key(self) -> str:
        """The object that says that it lives."""
        return f"{self.folder}/heartbeat.json"

    @property
    def death_key(self) -> str:
        """The object that says that it is dead."""
        return f"{self.folder}/dead.json"


@dataclass(frozen=True, slots=True)
class HeartbeatDocument:
    """A sign of life, as it is stored: of which writer, how long the writer relies on it, and where it runs."""

    daemon_id: ObjectName
    incarnation: Identifier
    ttl_s: Seconds
    host: str = ""
    pid: Count = 0


@dataclass(frozen=True, slots=True)
class DeathDocument:
    """The word that a writer is dead, as it is stored."""

    said_at: Moment


HEARTBEAT_CODEC = Codec(HeartbeatDocument)
DEATH_CODEC = Codec(DeathDocument)


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The last sign of life of a writer, and for how long it promised to act on it."""

    beaten_at: datetime
    ttl_s: float


class Liveness(Enum):
    """What is known of a writer."""

    ALIVE = "alive"
    EXPIRED = "expired"
    DEAD = "dead"


def liveness_of(
    heartbeat: Heartbeat | None, declared_dead: bool, now: datetime, grace_s: float
) -> Liveness:
    """Decides by its last heartbeat; a writer without one was swept away long ago, or never wrote anything."""
    if declared_dead:
        return Liveness.DEAD
    if heartbeat is None:
        return Liveness.EXPIRED
    expiry = heartbeat.beaten_at + timedelta(seconds=heartbeat.ttl_s + grace_s)
    return Liveness.ALIVE if now <= expiry else Liveness.EXPIRED


async def read_liveness(store: Store, ref: LeaseRef, now: datetime, grace_s: float) -> Liveness:
    """Looks a writer up in the repository, and decides. Raises: RepositoryDown, Corrupt."""
    try:
        await store.head(ref.death_key)
    except ObjectNotFound:
        return liveness_of(await _heartbeat(store, ref), False, now, grace_s)
    return Liveness.DEAD


async def _heartbeat(store: Store, ref: LeaseRef) -> Heartbeat | None:
    key = ref.heartbeat_key
    try:
        meta = await store.head(key)
        found = HEARTBEAT_CODEC.decode(await store.get(key), key)
    except ObjectNotFound:
        return None
    return Heartbeat(meta.modified_at, found.ttl_s)


async def leases(store: Store) -> AsyncIterator[LeaseRef]:
    """Every lease that the repository still knows."""
    for daemon_id in await store.folders(ROOT):
        for incarnation in await store.folders(f"{ROOT}/{daemon_id}"):
            if is_id(incarnation):
                yield LeaseRef(daemon_id, incarnation)
