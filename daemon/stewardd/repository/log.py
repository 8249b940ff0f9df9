"""An append-only log of numbered commits beside a published thing, in the way of a table format's commit log.

    <folder>/log/000000000001.json         commit 1, create-once: whoever puts it has made it
    <folder>/changes/<day>/<id>/<name>     the data of a large commit, put before it, under its writer's intent
    <folder>/kept/<day>/<id>/<name>        the same, but of what outlives the commit

The create-once put of commit n is the compare-and-swap: of two writers that saw n-1, one wins, and the other finds
ObjectExists, reads, and decides anew. A commit bears an id of its own, so that a writer whose answer was lost knows its
own commit again.

A commit with `removes` stands for all before it: what those commits hold goes, with their data and with what it names.
Whoever made it removes that, or the sweep does where they could not end it. So any of them may be gone, and their data
before them: a reader begins at the last commit that stands for the rest, and looks at nothing before it. An empty
object stays under the key of each, the fence of a number: else a writer that was paused since it saw n-1 could put n
below a commit that never heard of it, and its rows would be lost.

Data that no commit names was left by a dead writer. Before the sweep removes it, it appends an empty commit that gives
that id up: a writer that was merely paused meanwhile finds the number taken that it was about to take, and its lease
gone before it could take the next.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stewardd.errors import (
    BatchRewritten,
    Corrupt,
    ObjectExists,
    ObjectNotFound,
    RepositoryDown,
    StewardError,
)
from stewardd.repository import document
from stewardd.repository.attempts import pause
from stewardd.repository.backend.store import Store
from stewardd.repository.identifiers import folder_of, uuid7
from stewardd.repository.lease import WriterLease
from stewardd.repository.publication import FENCE, MANIFEST, exists, intents_folder
from stewardd.repository.rereading import ATTEMPTS
from stewardd.repository.standing import LeaseRef
from stewardd.repository.uninterrupted import uninterrupted
from stewardd.telemetry import logger

APPEND = "append"
CHANGES = "changes"
KEPT = "kept"
REMOVES = "removes"
GIVEN_UP = "given-up"

_READ_AT_ONCE = 16
_DIGITS = 12
_SEEN_TWICE = (
    3  # a listing that is taken while files come and go may leave one out, on some file systems
)
_log = logger("repository")


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit that exists."""

    number: int
    document: dict[str, Any]

    @property
    def identifier(self) -> str:
        """Its own id; that of its data, where it has any."""
        return str(self.document["id"])


class Log:
    """The log of the thing whose folder is given. The thing is there as long as its manifest is."""

    def __init__(self, store: Store, lease: WriterLease, folder: str) -> None:
        self._store = store
        self._lease = lease
        self.folder = folder

    async def after(self, number: int) -> list[Commit]:
        """The commits after a number, in order. Corrupt."""
        return await read_after(self._store, self.folder, number)

    async def append(self, number: int, commit: Mapping[str, Any]) -> None:
        """Makes commit `number`, durably. ObjectExists where somebody else has; LeaseLost, StorageFull, RepositoryDown.

        After RepositoryDown it may exist, or come to exist yet.
        """
        await self._lease.check()
        await uninterrupted(_append(self._store, self.folder, number, commit))

    @asynccontextmanager
    async def staged(self) -> AsyncIterator[Staged]:
        """Opens a place for the data of one commit; what is not appended when the block ends is removed."""
        staged = Staged(self._store, self._lease, self.folder)
        self._lease.in_flight.add(staged.intent_key)
        try:
            await self._lease.check(staged.ref)
            await uninterrupted(
                self._store.put(staged.intent_key, document.encode({"action": APPEND}))
            )
            yield staged
        finally:
            try:
                if not staged.uncertain:
                    await uninterrupted(staged.settle())
            finally:
                self._lease.in_flight.discard(staged.intent_key)


class Staged:
    """The data of a commit in the making."""

    def __init__(self, store: Store, lease: WriterLease, folder: str) -> None:
        self._store = store
        self._lease = lease
        self._log_folder = folder
        self.ref: LeaseRef = lease.ref
        self.identifier = uuid7()
        self.folder = data_folder(folder, self.identifier)
        self.intent_key = f"{intents_folder(self.ref)}/{folder}/{CHANGES}/{self.identifier}.json"
        self.kept_folder = folder_of(f"{folder}/{KEPT}", self.identifier)
        self.appended = False
        self._removes = False
        # A put may be under way that nobody waits for: then it is the sweep that ends this.
        self.uncertain = False

    async def put_file(self, name: str, path: Path, *, kept: bool = False) -> str:
        """Writes an object of the data from a finished local file; returns where, below the log's folder."""
        key = f"{self.kept_folder if kept else self.folder}/{name}"
        try:
            await self._store.put_file(key, path)
        except (RepositoryDown, asyncio.CancelledError):
            self.uncertain = True
            raise
        return key.removeprefix(f"{self._log_folder}/")

    async def append(self, number: int, commit: Mapping[str, Any]) -> None:
        """Makes commit `number`, which names this data by its id. See Log.append."""
        assert commit["id"] == self.identifier
        await self._lease.check(self.ref)
        try:
            await uninterrupted(_append(self._store, self._log_folder, number, commit))
        except RepositoryDown:
            self.uncertain = True
            raise
        self.appended = True
        self._removes = REMOVES in commit

    async def settle(self) -> None:
        """Removes the intent, and what it stands for unless a commit names it; leaves to the sweep what fails."""
        try:
            if self.appended and self._removes:
                await _remove_superseded(self._store, self._log_folder, self.identifier)
            elif not self.appended:
                await self._store.delete_prefix(self.folder)
                await self._store.delete_prefix(self.kept_folder)
            await self._store.delete(self.intent_key)
        except StewardError as error:
            _log.warning("left to the sweep", what="data", folder=self.folder, error=error.message)


def commit_key(folder: str, number: int) -> str:
    """The key of a commit; keys sort as numbers do."""
    return f"{folder}/log/{number:0{_DIGITS}}.json"


def data_folder(folder: str, identifier: str) -> str:
    """Where the data of a commit lies."""
    return folder_of(f"{folder}/{CHANGES}", identifier)


async def read_after(store: Store, folder: str, number: int) -> list[Commit]:
    """The commits of a log after a number, in order; from the last with `removes` on, where there is one.

    Raises: Corrupt where one is missing for which no later one stands, BatchRewritten where others rewrite all the
    time, RepositoryDown.
    """
    before: list[int] = []
    seen = 0
    for attempt in range(ATTEMPTS):
        listed = await _numbers_after(store, folder, number)
        found = await _read_back(store, folder, listed)
        following = found[0].number if found and REMOVES in found[0].document else number + 1
        numbers = [each.number for each in found]
        wanted = list(range(following, following + len(found)))
        if numbers == wanted:
            return found
        # A later commit has taken it up into itself meanwhile; else the log looks the same when it is listed again.
        seen = seen + 1 if listed == before else 1
        if seen == _SEEN_TWICE:
            missing = next(want for have, want in zip(numbers, wanted, strict=True) if have != want)
            raise Corrupt(f"the log of {folder} has no commit {missing}")
        before = listed
        await pause(attempt)
    raise BatchRewritten("others rewrite this batch all the time", retry_after_s=1)


def last_removing(commits: Sequence[Commit]) -> int:
    """The number of the last commit that stands for all before it; 0 where none does."""
    return next((each.number for each in reversed(commits) if REMOVES in each.document), 0)


def decoded(body: bytes, key: str) -> dict[str, Any]:
    """What a commit's object holds. ObjectNotFound for the fence in its place; Corrupt."""
    if body == FENCE:
        raise ObjectNotFound(f"what {key} held was taken up into a later commit")
    return document.decode(body, key)


async def _read_back(store: Store, folder: str, numbers: list[int]) -> list[Commit]:
    """The commits of these numbers that are there, read from the last one back to one with `removes`."""
    found: list[Commit] = []
    while numbers:
        some, numbers = numbers[-_READ_AT_ONCE:], numbers[:-_READ_AT_ONCE]
        commits = await asyncio.gather(*(_read(store, folder, each) for each in some))
        for commit in reversed(commits):
            if commit is not None:
                found.append(commit)
                if REMOVES in commit.document:
                    return found[::-1]
    return found[::-1]


async def _read_all(store: Store, folder: str) -> list[Commit]:
    """Every commit that there is, also those that a later one stands for."""
    numbers = await _numbers_after(store, folder, 0)
    found: list[Commit] = []
    for begin in range(0, len(numbers), _READ_AT_ONCE):
        some = numbers[begin : begin + _READ_AT_ONCE]
        commits = await asyncio.gather(*(_read(store, folder, each) for each in some))
        found += [each for each in commits if each is not None]
    return found


async def _numbers_after(store: Store, folder: str, number: int) -> list[int]:
    prefix = f"{folder}/log"
    start = commit_key(folder, number) if number else None
    return [
        int(meta.key.removeprefix(f"{prefix}/").removesuffix(".json"))
        async for meta in store.list(prefix, start_after=start)
        if meta.size_bytes > len(FENCE)
    ]


async def _read(store: Store, folder: str, number: int) -> Commit | None:
    key = commit_key(folder, number)
    try:
        return Commit(number, decoded(await store.get(key), key))
    except ObjectNotFound:
        return None


async def _append(store: Store, folder: str, number: int, commit: Mapping[str, Any]) -> None:
    key = commit_key(folder, number)
    body = document.encode(commit)
    try:
        await store.put(key, body)
    except (ObjectExists, RepositoryDown):
        # A client that repeats a put whose answer was lost finds its own commit.
        if await _found(store, key) != body:
            raise


async def _found(store: Store, key: str) -> bytes | None:
    try:
        return await store.get(key)
    except (ObjectNotFound, RepositoryDown):
        return None


async def give_up(store: Store, kind: str, identifier: str) -> bool | None:
    """For the sweep: removes the data of a commit that was never made. Whether there was anything to remove.

    `kind` is that of the intent: the log's folder and `changes`. None where the commit exists, ended as it should be.
    """
    folder = kind.removesuffix(f"/{CHANGES}")
    kept_folder = folder_of(f"{folder}/{KEPT}", identifier)
    named = kept_folder.removeprefix(f"{folder}/").encode()
    while await exists(store, f"{folder}/{MANIFEST}"):
        commits = await _read_all(store, folder)
        if any(commit.identifier == identifier for commit in commits):
            await _remove_superseded(store, folder, identifier)
            return None
        if any(named in document.encode(commit.document) for commit in commits):
            return None  # it was made, and a later commit, which stands for it, has what it kept
        if any(commit.document.get("of") == identifier for commit in commits):
            break
        number = commits[-1].number + 1 if commits else 1
        try:
            await _append(
                store, folder, number, {"id": uuid7(), "kind": GIVEN_UP, "of": identifier}
            )
        except ObjectExists:
            continue  # a commit came in between; it may be the very one
        break
    removed = await store.delete_prefix(data_folder(folder, identifier))
    return removed + await store.delete_prefix(kept_folder) > 0


async def _remove_superseded(store: Store, folder: str, identifier: str) -> None:
    """Removes what a commit with `removes` stands for, if this is one, in an order that can be taken up anywhere.

    From the newest to the oldest, each after its data: what a kill leaves is named by a commit, and begins the log.
    """
    commits = await _read_all(store, folder)
    mine = next((each for each in commits if each.identifier == identifier), None)
    if mine is None or REMOVES not in mine.document:
        return
    for name in mine.document[REMOVES]:
        await store.delete(f"{folder}/{name}")
    for commit in reversed(commits):
        if commit.number < mine.number:
            if commit.document.get("data"):
                await store.delete_prefix(data_folder(folder, commit.identifier))
            await store.put(commit_key(folder, commit.number), FENCE, overwrite=True)
