"""An append-only log of numbered commits beside a published thing, in the way of a table format's commit log.

    <folder>/log/000000000001.json         commit 1, create-once: the writer that puts it has made it
    <folder>/changes/<day>/<id>/<name>     the data of a large commit, put before it, under its writer's intent
    <folder>/kept/<day>/<id>/<name>        the same, but of what outlives the commit

The create-once put of commit n is the compare-and-swap: of two writers that saw n-1, one wins, and the other finds
ObjectExists, reads, and decides anew. A commit bears an id of its own, so that a writer whose answer was lost finds its
own commit again.

A commit with `removes` stands for all commits before it. Their data goes, and so do the objects that `removes` names:
the writer of the commit deletes them, or the sweep does where that writer could not. So any commit before it may be
gone, and its data before it: a reader begins at the last commit with `removes`, and looks at nothing before it. An
empty object stays under the key of each, the fence of a number: otherwise a writer that was paused since it saw n-1
could put n below a commit that has not read it, and its rows would be lost.

Data that no commit names was left by a dead writer. Before the sweep removes it, it appends an empty commit that gives
that id up: a writer that was merely paused meanwhile finds the number taken that it was about to take, and its lease
gone before it could take the next.

What a commit says beyond its head (its id, what it removes, what it gives up) is for the domain that writes it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from stewardd.errors import (
    BatchRewritten,
    Corrupt,
    ObjectExists,
    ObjectNotFound,
    RepositoryDown,
    StewardError,
)
from stewardd.repository.attempts import pause
from stewardd.repository.backend.store import Store
from stewardd.repository.document import LEFT_OUT_IF_EMPTY, Codec, Identifier, Key
from stewardd.repository.identifiers import folder_of, uuid7
from stewardd.repository.lease import WriterLease
from stewardd.repository.liveness import LeaseRef
from stewardd.repository.publication import (
    FENCE,
    INTENT_CODEC,
    MANIFEST,
    IntentAction,
    IntentDocument,
    exists,
    intents_folder,
)
from stewardd.repository.rereading import ATTEMPTS
from stewardd.telemetry import logger
from stewardd.uninterrupted import uninterrupted

CHANGES = "changes"
KEPT = "kept"
GIVEN_UP = "given-up"

_READ_AT_ONCE = 16
_DIGITS = 12
# A listing that is taken while files come and go may leave one out, on some file systems.
_LISTED_ALIKE = 3
_log = logger("repository")


@dataclass(frozen=True, slots=True)
class CommitHead:
    """What the log reads of a commit, as it is stored. `data` says that it has data under its id.

    `removes` are keys below the log's folder; a commit that has it, even empty, stands for all before it. `of` is the
    id that an empty commit gives up.
    """

    id: Identifier
    kind: str
    data: Annotated[bool, LEFT_OUT_IF_EMPTY] = False
    removes: Annotated[tuple[Key, ...] | None, LEFT_OUT_IF_EMPTY] = None
    of: Annotated[Identifier | None, LEFT_OUT_IF_EMPTY] = None


HEAD_CODEC = Codec(CommitHead)


@dataclass(frozen=True, slots=True)
class StoredCommit:
    """A commit that exists: its head, and the document as it is stored."""

    number: int
    head: CommitHead
    body: bytes

    @classmethod
    def read(cls, number: int, body: bytes, key: str) -> StoredCommit:
        """Reads what stands under a commit's key.

        Raises: ObjectNotFound for a fence in its place, Corrupt.
        """
        if body == FENCE:
            raise ObjectNotFound(f"what {key} held was taken up into a later commit")
        return cls(number, HEAD_CODEC.decode(body, key), body)


class CommitLog:
    """The log of the thing whose folder is given. The thing is there as long as its manifest is."""

    def __init__(self, store: Store, lease: WriterLease, folder: str) -> None:
        self._store = store
        self._lease = lease
        self.folder = folder

    async def append(self, number: int, commit: bytes) -> None:
        """Makes commit `number`, durably. After RepositoryDown it may exist, now or later.

        Raises: ObjectExists where another writer has made it; LeaseLost, StorageFull, RepositoryDown.
        """
        await self._lease.check()
        await uninterrupted(_append(self._store, self.folder, number, commit))

    @asynccontextmanager
    async def staged(self) -> AsyncIterator[StagedCommit]:
        """Stages the data of one commit; what is not appended when the block ends is removed. Raises: LeaseLost."""
        staged = StagedCommit(self._store, self._lease, self.folder)
        self._lease.in_flight.add(staged.intent_key)
        try:
            await self._lease.check(staged.ref)
            await uninterrupted(
                self._store.put(
                    staged.intent_key, INTENT_CODEC.encode(IntentDocument(IntentAction.APPEND))
                )
            )
            yield staged
        finally:
            try:
                if not staged.uncertain:
                    await uninterrupted(staged.settle())
            finally:
                self._lease.in_flight.discard(staged.intent_key)


class StagedCommit:
    """The data of a commit that is not made yet."""

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
        # A put may be under way for which no task waits: then the sweep ends this.
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

    async def append(self, number: int, commit: bytes) -> None:
        """Makes commit `number`, which names this data by its id. Raises: as CommitLog.append."""
        head = HEAD_CODEC.decode(commit, "a commit to append")
        assert head.id == self.identifier
        await self._lease.check(self.ref)
        try:
            await uninterrupted(_append(self._store, self._log_folder, number, commit))
        except RepositoryDown:
            self.uncertain = True
            raise
        self.appended = True
        self._removes = head.removes is not None

    async def settle(self) -> None:
        """Removes the intent, and the data unless a commit names it. What fails is left to the sweep."""
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


async def read_after(store: Store, folder: str, number: int) -> list[StoredCommit]:
    """The commits of a log after a number, in order; from the last with `removes` on, where there is one.

    Raises: Corrupt where one is missing for which no later one stands, BatchRewritten where others rewrite all the
    time, RepositoryDown.
    """
    before: list[int] = []
    seen = 0
    for attempt in range(ATTEMPTS):
        listed = await _numbers_after(store, folder, number)
        found = await _read_back(store, folder, listed)
        stands_for_all = found and found[0].head.removes is not None
        following = found[0].number if stands_for_all else number + 1
        numbers = [each.number for each in found]
        wanted = list(range(following, following + len(found)))
        if numbers == wanted:
            return found
        # A later commit may stand for the missing one by now. If none does, the log looks the same when listed again.
        seen = seen + 1 if listed == before else 1
        if seen == _LISTED_ALIKE:
            missing = next(want for have, want in zip(numbers, wanted, strict=True) if have != want)
            raise Corrupt(f"the log of {folder} has no commit {missing}")
        before = listed
        await pause(attempt)
    raise BatchRewritten("others rewrite this batch all the time", retry_after_s=1)


def last_removing(commits: Sequence[StoredCommit]) -> int:
    """The number of the last commit that stands for all before it; 0 where none does."""
    return next((each.number for each in reversed(commits) if each.head.removes is not None), 0)


async def _read_back(store: Store, folder: str, numbers: list[int]) -> list[StoredCommit]:
    """The commits of these numbers that are there, read from the last one back to one with `removes`."""
    found: list[StoredCommit] = []
    while numbers:
        some, numbers = numbers[-_READ_AT_ONCE:], numbers[:-_READ_AT_ONCE]
        commits = await asyncio.gather(*(_read(store, folder, each) for each in some))
        for commit in reversed(commits):
            if commit is not None:
                found.append(commit)
                if commit.head.removes is not None:
                    return found[::-1]
    return found[::-1]


async def _read_all(store: Store, folder: str) -> list[StoredCommit]:
    """Every commit that there is, also those that a later one stands for."""
    numbers = await _numbers_after(store, folder, 0)
    found: list[StoredCommit] = []
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


async def _read(store: Store, folder: str, number: int) -> StoredCommit | None:
    key = commit_key(folder, number)
    try:
        return StoredCommit.read(number, await store.get(key), key)
    except ObjectNotFound:
        return None


async def _append(store: Store, folder: str, number: int, commit: bytes) -> None:
    key = commit_key(folder, number)
    try:
        await store.put(key, commit)
    except (ObjectExists, RepositoryDown):
        # A client that repeats a put whose answer was lost finds its own commit.
        if await _found(store, key) != commit:
            raise


async def _found(store: Store, key: str) -> bytes | None:
    try:
        return await store.get(key)
    except (ObjectNotFound, RepositoryDown):
        return None


async def give_up(store: Store, kind: str, identifier: str) -> bool | None:
    """For the sweep: removes the data of a commit that was never made. Returns whether there was any.

    `kind` is that of the intent: the log's folder and `changes`. Returns None where the commit exists; then what its
    writer left to remove is removed.
    """
    folder = kind.removesuffix(f"/{CHANGES}")
    kept_folder = folder_of(f"{folder}/{KEPT}", identifier)
    named = kept_folder.removeprefix(f"{folder}/").encode()
    while await exists(store, f"{folder}/{MANIFEST}"):
        commits = await _read_all(store, folder)
        if any(commit.head.id == identifier for commit in commits):
            await _remove_superseded(store, folder, identifier)
            return None
        if any(named in commit.body for commit in commits):
            return None  # it was made, and a later commit, which stands for it, has what it kept
        if any(commit.head.of == identifier for commit in commits):
            break
        number = commits[-1].number + 1 if commits else 1
        given_up = HEAD_CODEC.encode(CommitHead(uuid7(), GIVEN_UP, of=identifier))
        try:
            await _append(store, folder, number, given_up)
        except ObjectExists:
            continue  # a commit came in between; it may be the very one
        break
    removed = await store.delete_prefix(data_folder(folder, identifier))
    return removed + await store.delete_prefix(kept_folder) > 0


async def _remove_superseded(store: Store, folder: str, identifier: str) -> None:
    """Removes what a commit with `removes` stands for, if this is one. Another sweep can go on where this one stops.

    The commits go from the newest to the oldest, each after its data: so what a kill leaves is a log as it once was.
    """
    commits = await _read_all(store, folder)
    mine = next((each for each in commits if each.head.id == identifier), None)
    if mine is None or mine.head.removes is None:
        return
    for name in mine.head.removes:
        await store.delete(f"{folder}/{name}")
    for commit in reversed(commits):
        if commit.number < mine.number:
            if commit.head.data:
                await store.delete_prefix(data_folder(folder, commit.head.id))
            await store.put(commit_key(folder, commit.number), FENCE, overwrite=True)
