"""One at a time, over all daemons: turns at something that has a name, such as the dump of a database.

    turns/<kind>/<sha256 of the name>/000000000007.json            a turn, create-once, under its writer's lease
                                     /000000000007.released.json   it is over

A turn is over when it was released or its writer is dead. Whoever creates the next number has the next turn; the older
numbers are removed then, the newest never. A writer that creates a number from an old listing finds a newer one beside
it, and gives its own up.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from stewardd.errors import ObjectExists, ObjectNotFound, StewardError
from stewardd.repository.backend.store import Store
from stewardd.repository.document import MARK, Codec
from stewardd.repository.lease import WriterLease
from stewardd.repository.liveness import LeaseRef, Liveness
from stewardd.telemetry import logger
from stewardd.uninterrupted import uninterrupted

ROOT = "turns"

_log = logger("repository")
_NUMBER = re.compile(r"([0-9]{12})\.json")
_POLL_S = 1.0


@dataclass(frozen=True, slots=True)
class TurnDocument:
    """A turn, as it is stored."""

    owner: LeaseRef


TURN_CODEC = Codec(TurnDocument)


class Turns:
    """The turns at things of one kind."""

    def __init__(
        self, store: Store, lease: WriterLease, kind: str, *, poll_s: float = _POLL_S
    ) -> None:
        self._store = store
        self._lease = lease
        self._kind = kind
        self._poll_s = poll_s
        self._unreleased: set[str] = set()

    @asynccontextmanager
    async def take(
        self, name: str, on_wait: Callable[[], None] = lambda: None
    ) -> AsyncIterator[None]:
        """Waits until nobody else has a turn, and has it until the block ends. Raises: LeaseLost, RepositoryDown."""
        folder = f"{ROOT}/{self._kind}/{hashlib.sha256(name.encode()).hexdigest()}"
        while (number := await self._try(folder)) is None:
            on_wait()
            await asyncio.sleep(self._poll_s)
        try:
            yield
        finally:
            await uninterrupted(self._release(folder, number))

    async def _try(self, folder: str) -> int | None:
        """Takes the next turn if the last one is over; returns its number."""
        names = await self._names(folder)
        last = max((int(match[1]) for match in map(_NUMBER.fullmatch, names) if match), default=0)
        if last and not await self._is_over(folder, last, names):
            return None
        number = last + 1
        put = asyncio.ensure_future(
            self._store.put(_key(folder, number), TURN_CODEC.encode(TurnDocument(self._lease.ref)))
        )
        try:
            await uninterrupted(put)
        except ObjectExists:
            return None
        except asyncio.CancelledError:
            if not put.cancelled() and put.exception() is None:
                await uninterrupted(self._release(folder, number))
            raise
        names = await self._names(folder)
        if any(int(match[1]) > number for match in map(_NUMBER.fullmatch, names) if match):
            await self._store.delete(_key(folder, number))
            return None
        for each in names:
            if int(each[:12]) < number:
                await self._store.delete(f"{folder}/{each}")
        return number

    async def _names(self, folder: str) -> set[str]:
        return {meta.key.rpartition("/")[2] async for meta in self._store.list(folder)}

    async def _is_over(self, folder: str, number: int, names: set[str]) -> bool:
        if f"{number:012d}.released.json" in names:
            return True
        key = _key(folder, number)
        if key in self._unreleased:
            return True
        try:
            turn = TURN_CODEC.decode(await self._store.get(key), key)
        except ObjectNotFound:
            return False  # somebody has the next turn by now: look again
        return await self._lease.liveness(turn.owner) is not Liveness.ALIVE

    async def _release(self, folder: str, number: int) -> None:
        try:
            with suppress(ObjectExists):
                await self._store.put(f"{folder}/{number:012d}.released.json", MARK)
        except StewardError as error:
            # This daemon knows that it is over; others wait until its lease is.
            self._unreleased.add(_key(folder, number))
            _log.warning("turn not released", kind=self._kind, error=error.message)


def _key(folder: str, number: int) -> str:
    return f"{folder}/{number:012d}.json"
