"""Whether the writer behind a lease still lives: a decision over (heartbeat, now), and the reading that it needs.

    leases/<daemon>/<incarnation>/heartbeat.json    overwritten by its writer while it lives
    leases/<daemon>/<incarnation>/dead.json         create-once: said by its writer, or by the next incarnation
    leases/<daemon>/<incarnation>/<what>/…          marks of what it has begun and not ended

DEAD is certain, EXPIRED is a judgement: a writer may be paused, and wake. Ages are by the clock of the storage, which
stamps the heartbeats of all writers, so that the clocks of their machines need not agree.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from stewardd.errors import Corrupt, ObjectNotFound
from stewardd.repository import document
from stewardd.repository.backend.store import Store
from stewardd.repository.identifiers import is_id

ROOT = "leases"


@dataclass(frozen=True, slots=True)
class LeaseRef:
    """One life of one daemon, as what it writes refers to it."""

    daemon_id: str
    incarnation: str

    @property
    def folder(self) -> str:
        """Where its heartbeat and its marks lie."""
        return f"{ROOT}/{self.daemon_id}/{self.incarnation}"

    @property
    def heartbeat_key(self) -> str:
        """The object that says that it lives."""
        return f"{self.folder}/heartbeat.json"

    @property
    def dead_key(self) -> str:
        """The object that says that it is dead."""
        return f"{self.folder}/dead.json"

    def as_document(self) -> dict[str, str]:
        """As it stands in a document."""
        return {"daemon_id": self.daemon_id, "incarnation": self.incarnation}

    @classmethod
    def of(cls, found: Any, key: str) -> LeaseRef:
        """Reads what `as_document` wrote into the document under `key`. Corrupt."""
        if not isinstance(found, dict):
            raise Corrupt(f"{key} has no lease")
        return cls(
            document.field(found, "daemon_id", key), document.field(found, "incarnation", key)
        )


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The last sign of life of a writer, and for how long it promised to act on it."""

    beaten_at: datetime
    ttl_s: float


class Standing(Enum):
    """What may be thought of a writer."""

    ALIVE = "alive"
    EXPIRED = "expired"
    DEAD = "dead"


def judge(
    heartbeat: Heartbeat | None, declared_dead: bool, now: datetime, grace_s: float
) -> Standing:
    """Judges a writer. One without a heartbeat has been swept away long ago, or never came to write."""
    if declared_dead:
        return Standing.DEAD
    if heartbeat is None:
        return Standing.EXPIRED
    expiry = heartbeat.beaten_at + timedelta(seconds=heartbeat.ttl_s + grace_s)
    return Standing.ALIVE if now <= expiry else Standing.EXPIRED


async def read_standing(store: Store, ref: LeaseRef, now: datetime, grace_s: float) -> Standing:
    """Looks a writer up in the repository, and judges it."""
    try:
        await store.head(ref.dead_key)
    except ObjectNotFound:
        return judge(await _heartbeat(store, ref), False, now, grace_s)
    return Standing.DEAD


async def _heartbeat(store: Store, ref: LeaseRef) -> Heartbeat | None:
    key = ref.heartbeat_key
    try:
        meta = await store.head(key)
        ttl_s = document.decode(await store.get(key), key).get("ttl_s")
    except ObjectNotFound:
        return None
    if not isinstance(ttl_s, int | float):
        raise Corrupt(f"{key} has no ttl_s")
    return Heartbeat(meta.modified_at, ttl_s)


async def leases(store: Store) -> AsyncIterator[LeaseRef]:
    """Every lease that the repository still knows."""
    for daemon_id in await store.folders(ROOT):
        for incarnation in await store.folders(f"{ROOT}/{daemon_id}"):
            if is_id(incarnation):
                yield LeaseRef(daemon_id, incarnation)
