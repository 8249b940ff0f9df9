"""The logs of all batches: what each has come to, and the one way to add to it.

What was folded is kept for the next reader, who then reads only what came after; the log stays the truth, and a cache
that is lost costs a read of the checkpoint. `append` is the compare-and-swap: it folds, asks what is to be done, and
tries; who loses folds again and is asked again.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from weakref import WeakValueDictionary

from stewardd.batches.manifest import BatchManifest
from stewardd.batches.states import RowStates
from stewardd.batches.summary import Summary
from stewardd.errors import ObjectExists, ObjectNotFound, RowChanged, StewardError
from stewardd.quarantine.commit import STATES, Commit, commit_of
from stewardd.quarantine.fold import (
    BatchState,
    fold,
    fold_summary,
    of_checkpoint,
    summary_of,
    to_checkpoint,
)
from stewardd.repository import log as repository_log
from stewardd.repository.lease import WriterLease
from stewardd.repository.log import Log, Staged, data_folder
from stewardd.repository.rereading import reread
from stewardd.repository.store import Store
from stewardd.telemetry import logger

CHECKPOINT = "checkpoint.bin"
CHECKPOINT_EVERY = 64
_CHECKPOINT_MAX_BYTES = 1 << 30
_HEAD_BYTES = 4096
_RACES = 64
_SUMMARIES = 20_000
_log = logger("quarantine")


@dataclass(frozen=True, slots=True)
class Appended:
    """What came of an append: the state after it, and the commit, None where nothing was to be done."""

    state: BatchState
    commit: Commit | None


@dataclass(frozen=True, slots=True)
class _Unfolded:
    """A state that is known, and the commits after it, whose data has not been read yet."""

    state: BatchState
    commits: list[repository_log.Commit]

    @property
    def rewritten(self) -> int:
        """The number of the last commit that rewrote."""
        return repository_log.last_removing(self.commits) or self.state.rewritten


class Ledger:
    """Reads and writes the logs of batches. `cached_rows` bounds the states that are kept in memory, by their rows."""

    def __init__(
        self,
        store: Store,
        lease: WriterLease,
        *,
        cached_rows: int = 5_000_000,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.store = store
        self.lease = lease
        self.clock = clock
        self._cached_rows = cached_rows
        self._states: OrderedDict[str, BatchState] = OrderedDict()
        self._checkpointed: dict[str, int] = {}
        self._summaries: OrderedDict[str, Summary] = OrderedDict()
        self._writing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def summary(self, folder: str) -> Summary:
        """What a batch's rows have come to, in numbers. Reads no states. RepositoryDown, Corrupt."""
        known = self._summaries.get(folder)
        if known is None:
            known = await self._first_summary(folder)
        commits = await repository_log.read_after(self.store, folder, known.number)
        summary = fold_summary(known, [commit_of(each) for each in commits])
        self._summaries[folder] = summary
        self._summaries.move_to_end(folder)
        while len(self._summaries) > _SUMMARIES:
            self._summaries.popitem(last=False)
        return summary

    async def state(self, folder: str) -> BatchState:
        """A batch's rows as they are now. Raises: RepositoryDown, Corrupt, BatchRewritten."""

        async def folded(seen: _Unfolded) -> BatchState:
            state = seen.state
            for found in seen.commits:
                state = await self._folded(folder, state, commit_of(found))
            self._keep(folder, state)
            return state

        return await reread(lambda: self._unfolded(folder), lambda seen: seen.rewritten, folded)

    async def _unfolded(self, folder: str) -> _Unfolded:
        state = self._states.get(folder)
        if state is None:
            state = await self._checkpoint(folder)
        return _Unfolded(state, await repository_log.read_after(self.store, folder, state.number))

    async def append(
        self, batch: BatchManifest, decide: Callable[[BatchState], Awaitable[Commit | None]]
    ) -> Appended:
        """Adds a commit that holds its changes itself: what `decide` makes of the state, whose number it takes up.

        Raises what `decide` raises; RowChanged where others are always faster; LeaseLost, StorageFull, RepositoryDown.
        """
        log = self.log(batch)

        async def put(commit: Commit) -> None:
            await log.append(commit.number, commit.to_document())

        return await self._append(batch.folder, decide, put)

    async def append_staged(
        self,
        batch: BatchManifest,
        staged: Staged,
        decide: Callable[[BatchState], Awaitable[Commit | None]],
    ) -> Appended:
        """Adds a commit whose data has been staged. See `append`."""

        async def put(commit: Commit) -> None:
            await staged.append(commit.number, commit.to_document())

        return await self._append(batch.folder, decide, put)

    def log(self, batch: BatchManifest) -> Log:
        """The log of a batch."""
        return Log(self.store, self.lease, batch.folder)

    async def _append(
        self,
        folder: str,
        decide: Callable[[BatchState], Awaitable[Commit | None]],
        put: Callable[[Commit], Awaitable[None]],
    ) -> Appended:
        async with self._alone(folder):
            for _ in range(_RACES):
                state = await self.state(folder)
                commit = await decide(state)
                if commit is None:
                    return Appended(state, None)
                try:
                    await put(commit)
                except ObjectExists:
                    continue  # another daemon was faster: see what it did
                state = await self._after(folder, state, commit)
                _log.info(
                    "quarantine changed",
                    folder=folder,
                    commit=commit.number,
                    action=commit.action.value,
                    rows=commit.rows,
                )
                await self._maybe_checkpoint(folder, state)
                return Appended(state, commit)
        raise RowChanged("others change this batch's rows all the time", retry_after_s=1)

    async def _after(self, folder: str, state: BatchState, commit: Commit) -> BatchState:
        """The state after a commit that was just made, or after one that has taken it up into itself already."""
        try:
            state = await self._folded(folder, state, commit)
        except ObjectNotFound:
            return await self.state(folder)
        self._keep(folder, state)
        return state

    def _alone(self, folder: str) -> asyncio.Lock:
        """One writer a batch in this process: racing against ourselves would only cost puts."""
        return self._writing.setdefault(folder, asyncio.Lock())

    async def _folded(self, folder: str, state: BatchState, commit: Commit) -> BatchState:
        effect = RowStates()
        if commit.stored:
            key = f"{data_folder(folder, commit.identifier)}/{STATES}"
            body = await self.store.get(key, max_bytes=_CHECKPOINT_MAX_BYTES)
            effect = await asyncio.to_thread(RowStates.from_bytes, body)
        elif commit.changes:
            effect = commit.effect()
        if len(effect) < 1000:
            return fold(state, commit, effect)
        return await asyncio.to_thread(fold, state, commit, effect)

    async def _checkpoint(self, folder: str) -> BatchState:
        try:
            body = await self.store.get(f"{folder}/{CHECKPOINT}", max_bytes=_CHECKPOINT_MAX_BYTES)
        except ObjectNotFound:
            return BatchState()
        state = await asyncio.to_thread(of_checkpoint, body)
        self._checkpointed[folder] = state.number
        return state

    async def _first_summary(self, folder: str) -> Summary:
        """Most batches have no log, and that is all that has to be seen of them."""
        async for _ in self.store.list(f"{folder}/log"):
            break
        else:
            return Summary()
        key = f"{folder}/{CHECKPOINT}"
        try:
            head = await self.store.get_range(key, 0, _HEAD_BYTES)
        except ObjectNotFound:
            return Summary()
        return summary_of(head.partition(b"\n")[0])

    async def _maybe_checkpoint(self, folder: str, state: BatchState) -> None:
        if state.number - self._checkpointed.get(folder, 0) < CHECKPOINT_EVERY:
            return
        try:
            body = await asyncio.to_thread(to_checkpoint, state)
            await self.store.put(f"{folder}/{CHECKPOINT}", body, overwrite=True)
            self._checkpointed[folder] = state.number
            later = await repository_log.read_after(self.store, folder, state.number)
            if any(repository_log.REMOVES in each.document for each in later):
                # Rewritten meanwhile: what was taken out stands in it, and nobody else would remove it.
                await self.store.delete(f"{folder}/{CHECKPOINT}")
        except StewardError as error:  # it is derived: without it the next reader reads more
            _log.warning("checkpoint not written", folder=folder, error=error.message)

    def _keep(self, folder: str, state: BatchState) -> None:
        self._states[folder] = state
        self._states.move_to_end(folder)
        held = sum(len(each.states) for each in self._states.values())
        while len(self._states) > 1 and (held > self._cached_rows or len(self._states) > 256):
            _, dropped = self._states.popitem(last=False)
            held -= len(dropped.states)
