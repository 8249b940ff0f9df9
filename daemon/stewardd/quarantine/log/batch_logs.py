"""The logs of all batches: the state of each batch, and the only way to add a commit.

States are cached, so that the next reader reads only the commits after them. A lost cache costs a read of the
checkpoint. `append` is a compare-and-swap: it reads the state, asks `decide` for a commit, and puts it under the next
number. If another daemon has taken that number, it reads the state and asks again.
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
from stewardd.batches.summary import LogSummary
from stewardd.errors import ObjectExists, ObjectNotFound, StewardError
from stewardd.quarantine.log.batch_state import BatchState, apply_commit, apply_to_summary
from stewardd.quarantine.log.checkpoint import read_checkpoint, read_summary, write_checkpoint
from stewardd.quarantine.log.commits import STATES, BatchCommit, read_commit, write_commit
from stewardd.quarantine.log.planned_commit import always_changed
from stewardd.repository import log as repository_log
from stewardd.repository.attempts import Overtaken, repeat_while_overtaken
from stewardd.repository.backend.store import Store
from stewardd.repository.lease import WriterLease
from stewardd.repository.log import CommitLog, StagedCommit, StoredCommit, data_folder
from stewardd.repository.rereading import reread
from stewardd.telemetry import logger

CHECKPOINT = "checkpoint.bin"
CHECKPOINT_EVERY = 64
_CHECKPOINT_MAX_BYTES = 1 << 30
_HEAD_BYTES = 4096
_APPEND_ATTEMPTS = 64
_SUMMARIES = 20_000
_log = logger("quarantine")


@dataclass(frozen=True, slots=True)
class AppendResult:
    """The state after an append, and the commit: None where `decide` made none."""

    state: BatchState
    commit: BatchCommit | None


class _NumberTaken(Overtaken):
    """Another daemon has put a commit under the number."""


@dataclass(frozen=True, slots=True)
class _KnownState:
    """A state, and the commits after it, whose data has not been read yet."""

    state: BatchState
    commits: list[StoredCommit]

    @property
    def rewritten(self) -> int:
        """The number of the last commit that rewrote the batch."""
        return repository_log.last_removing(self.commits) or self.state.rewritten


class BatchLogs:
    """Reads and writes the logs of batches. `cached_rows` limits how many rows the cached states have in all.

    `on_commit` is called with each commit that this daemon has made.
    """

    def __init__(
        self,
        store: Store,
        lease: WriterLease,
        *,
        cached_rows: int = 5_000_000,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        on_commit: Callable[[BatchCommit], None] = lambda _: None,
    ) -> None:
        self._on_commit = on_commit
        self.store = store
        self._lease = lease
        self.clock = clock
        self._cached_rows = cached_rows
        self._states: OrderedDict[str, BatchState] = OrderedDict()
        self._checkpointed: dict[str, int] = {}
        self._summaries: OrderedDict[str, LogSummary] = OrderedDict()
        self._writing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def summary(self, folder: str) -> LogSummary:
        """The counts of a batch's rows. It does not read their states. Raises: RepositoryDown, Corrupt."""
        known = self._summaries.get(folder)
        if known is None:
            known = await self._first_summary(folder)
        commits = await repository_log.read_after(self.store, folder, known.number)
        summary = apply_to_summary(known, [read_commit(each) for each in commits])
        self._summaries[folder] = summary
        self._summaries.move_to_end(folder)
        while len(self._summaries) > _SUMMARIES:
            self._summaries.popitem(last=False)
        return summary

    async def state(self, folder: str) -> BatchState:
        """The state of a batch's rows now. Raises: RepositoryDown, Corrupt, BatchRewritten."""

        async def apply_commits(known: _KnownState) -> BatchState:
            state = known.state
            for found in known.commits:
                state = await self._apply(folder, state, read_commit(found))
            self._cache(folder, state)
            return state

        return await reread(
            lambda: self._known_state(folder), lambda known: known.rewritten, apply_commits
        )

    async def _known_state(self, folder: str) -> _KnownState:
        state = self._states.get(folder)
        if state is None:
            state = await self._read_checkpoint(folder)
        return _KnownState(state, await repository_log.read_after(self.store, folder, state.number))

    async def append(
        self, batch: BatchManifest, decide: Callable[[BatchState], Awaitable[BatchCommit | None]]
    ) -> AppendResult:
        """Adds the commit that `decide` makes from the state. The commit holds its changes itself.

        Raises: what `decide` raises; RowChanged where other daemons are faster each time; LeaseLost, StorageFull,
        RepositoryDown.
        """
        log = self.log(batch)

        async def put(commit: BatchCommit) -> None:
            await log.append(commit.number, write_commit(commit))

        return await self._append(batch.folder, decide, put)

    async def append_staged(
        self,
        batch: BatchManifest,
        staged: StagedCommit,
        decide: Callable[[BatchState], Awaitable[BatchCommit | None]],
    ) -> AppendResult:
        """Adds a commit whose changes are in staged files. Else as `append`."""

        async def put(commit: BatchCommit) -> None:
            await staged.append(commit.number, write_commit(commit))

        return await self._append(batch.folder, decide, put)

    def log(self, batch: BatchManifest) -> CommitLog:
        """The log of a batch."""
        return CommitLog(self.store, self._lease, batch.folder)

    async def _append(
        self,
        folder: str,
        decide: Callable[[BatchState], Awaitable[BatchCommit | None]],
        put: Callable[[BatchCommit], Awaitable[None]],
    ) -> AppendResult:
        async def attempt() -> AppendResult:
            state = await self.state(folder)
            commit = await decide(state)
            if commit is None:
                return AppendResult(state, None)
            try:
                await put(commit)
            except ObjectExists as error:
                raise _NumberTaken from error
            self._on_commit(commit)
            state = await self._after(folder, state, commit)
            _log.info(
                "quarantine changed",
                folder=folder,
                commit=commit.number,
                action=commit.action.value,
                rows=commit.rows,
            )
            await self._maybe_write_checkpoint(folder, state)
            return AppendResult(state, commit)

        async with self._writer_lock(folder):
            return await repeat_while_overtaken(
                attempt,
                _NumberTaken,
                attempts=_APPEND_ATTEMPTS,
                failure=always_changed(),
                pauses=False,
            )

    async def _after(self, folder: str, state: BatchState, commit: BatchCommit) -> BatchState:
        """The state after a commit that was just made, or after a rewriting that has replaced it since."""
        try:
            state = await self._apply(folder, state, commit)
        except ObjectNotFound:
            return await self.state(folder)
        self._cache(folder, state)
        return state

    def _writer_lock(self, folder: str) -> asyncio.Lock:
        """One writer for each batch in this process: a race between our own tasks would only cost puts."""
        return self._writing.setdefault(folder, asyncio.Lock())

    async def _apply(self, folder: str, state: BatchState, commit: BatchCommit) -> BatchState:
        changed = RowStates()
        if commit.stored:
            key = f"{data_folder(folder, commit.identifier)}/{STATES}"
            body = await self.store.get(key, max_bytes=_CHECKPOINT_MAX_BYTES)
            changed = await asyncio.to_thread(RowStates.from_bytes, body)
        elif commit.changes:
            changed = commit.changed_states()
        if len(changed) < 1000:
            return apply_commit(state, commit, changed)
        return await asyncio.to_thread(apply_commit, state, commit, changed)

    async def _read_checkpoint(self, folder: str) -> BatchState:
        try:
            body = await self.store.get(f"{folder}/{CHECKPOINT}", max_bytes=_CHECKPOINT_MAX_BYTES)
        except ObjectNotFound:
            return BatchState()
        state = await asyncio.to_thread(read_checkpoint, body)
        self._checkpointed[folder] = state.number
        return state

    async def _first_summary(self, folder: str) -> LogSummary:
        """The counts of the checkpoint. Most batches have no log: then nothing else is read."""
        async for _ in self.store.list(f"{folder}/log"):
            break
        else:
            return LogSummary()
        key = f"{folder}/{CHECKPOINT}"
        try:
            head = await self.store.get_range(key, 0, _HEAD_BYTES)
        except ObjectNotFound:
            return LogSummary()
        return read_summary(head.partition(b"\n")[0])

    async def _maybe_write_checkpoint(self, folder: str, state: BatchState) -> None:
        if state.number - self._checkpointed.get(folder, 0) < CHECKPOINT_EVERY:
            return
        try:
            body = await asyncio.to_thread(write_checkpoint, state)
            await self.store.put(f"{folder}/{CHECKPOINT}", body, overwrite=True)
            self._checkpointed[folder] = state.number
            later = await repository_log.read_after(self.store, folder, state.number)
            if repository_log.last_removing(later):
                # The batch was rewritten meanwhile. The checkpoint holds what was removed, and nothing else deletes it.
                await self.store.delete(f"{folder}/{CHECKPOINT}")
        except StewardError as error:  # without a checkpoint the next reader reads more
            _log.warning("checkpoint not written", folder=folder, error=error.message)

    def _cache(self, folder: str, state: BatchState) -> None:
        self._states[folder] = state
        self._states.move_to_end(folder)
        held = sum(len(each.states) for each in self._states.values())
        while len(self._states) > 1 and (held > self._cached_rows or len(self._states) > 256):
            _, dropped = self._states.popitem(last=False)
            held -= len(dropped.states)
