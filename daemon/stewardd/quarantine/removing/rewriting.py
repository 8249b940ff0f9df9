"""Rewriting a batch: files and history are written anew without what is removed, and one commit switches to them.

The new files are the data of that commit. It replaces all commits before it, whose data is then removed with the old
files. A kill before the commit leaves the batch as it was; what a kill after it leaves, the sweep removes. So no row
that stays is ever lost or in two states.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from stewardd.batches.file import BatchFile
from stewardd.batches.manifest import BatchManifest
from stewardd.batches.states import RowStates, State
from stewardd.quarantine.files.scratch import Scratch
from stewardd.quarantine.finding.batch_reader import BatchReader
from stewardd.quarantine.finding.rows import BatchRows
from stewardd.quarantine.log.batch_logs import CHECKPOINT, BatchLogs
from stewardd.quarantine.log.batch_state import BatchState
from stewardd.quarantine.log.changes import Action
from stewardd.quarantine.log.commits import STATES, BatchCommit, Rewrite
from stewardd.quarantine.log.events import HISTORY
from stewardd.quarantine.log.planned_commit import PlanOutdated, plan_and_commit
from stewardd.quarantine.removing.archives import ARCHIVE
from stewardd.quarantine.removing.rewrite_rules import RewriteResult, RewriteRules
from stewardd.quarantine.removing.rewritten_files import NewFile, write_files
from stewardd.repository.log import StagedCommit


class BatchRewriter:
    """Rewrites batches by the rules of a purge or of an erasure."""

    def __init__(self, reader: BatchReader, logs: BatchLogs, scratch: Scratch) -> None:
        self._reader = reader
        self._logs = logs
        self._scratch = scratch

    async def rewrite(
        self, batch_id: str, action: Action, actor: str, rules: RewriteRules, *, dry_run: bool
    ) -> RewriteResult:
        """Rewrites a batch.

        Raises: BatchNotFound, StorageFull, LeaseLost; RowChanged and BatchRewritten where other writers are faster each
        time.
        """
        threads = self._reader.threads

        async def plan_then_commit(rows: BatchRows) -> RewriteResult:
            if not await threads.run(lambda: rules.apply_to(rows)):
                return RewriteResult(changed=False)
            with self._scratch.folder() as folder:
                files, result = await threads.run(lambda: write_files(rows, folder, rules))
                if result.changed and not dry_run:
                    await self._commit(rows, files, result, action, actor, rules)
                return result

        return await plan_and_commit(lambda: self._reader.do_work(batch_id, plan_then_commit))

    async def _commit(
        self,
        rows: BatchRows,
        new_files: list[NewFile],
        result: RewriteResult,
        action: Action,
        actor: str,
        rules: RewriteRules,
    ) -> None:
        batch, state = rows.batch, rows.state
        async with self._logs.log(batch).staged() as staged:
            files = [await _put(staged, each) for each in new_files]
            archives = list(result.archives)
            if result.new_archive is not None:
                archives.append(await staged.put_file(ARCHIVE, result.new_archive, kept=True))
            path = new_files[0].path.parent / STATES
            # Takes seconds for five million rows: not on the event loop.
            resolved_rows, discarded_rows = await self._reader.threads.run(
                lambda: _write_states(path, state.states.overlaid(result.new_states))
            )
            await staged.put_file(STATES, path)
            commit = BatchCommit(
                state.number + 1,
                staged.identifier,
                action,
                self._logs.clock(),
                actor,
                stored=True,
                rewrite=Rewrite(
                    files=tuple(_batch_files(batch, files)),
                    has_history=any(each.name == HISTORY for each in files),
                    exports=tuple(
                        replace(each, actor=rules.rewrite_text(each.actor))
                        for each in state.exports
                    ),
                    resolved_rows=resolved_rows,
                    discarded_rows=discarded_rows,
                    archives=tuple(archives),
                    facts=result.facts,
                    # An older checkpoint holds what is removed.
                    removes=(*_replaced(batch, files), *result.dropped_archives, CHECKPOINT),
                ),
            )

            async def decide(now: BatchState) -> BatchCommit:
                if now.number != state.number:
                    raise PlanOutdated
                return commit

            await self._logs.append_staged(batch, staged, decide)


async def _put(staged: StagedCommit, file: NewFile) -> BatchFile:
    at = await staged.put_file(file.name, file.path)
    return BatchFile(file.name, file.size_bytes, file.crc32c, at)


def _write_states(path: Path, states: RowStates) -> tuple[int, int]:
    """Writes states to a file. Returns how many rows are resolved, and how many discarded."""
    path.write_bytes(states.to_bytes())
    return states.count(State.RESOLVED), states.count(State.DISCARDED)


def _batch_files(batch: BatchManifest, new_files: list[BatchFile]) -> Iterator[BatchFile]:
    """The files of the batch from now on: the new ones, and the report of its validation."""
    yield from (each for each in new_files if each.name != HISTORY)
    report = batch.file("report.json")
    if report is not None:
        yield replace(report, at=report.object)


def _replaced(batch: BatchManifest, new_files: list[BatchFile]) -> Iterator[str]:
    """The objects under the batch's own keys that are replaced. Those of an earlier rewriting go with its commit."""
    for each in new_files:
        file = batch.file(each.name)
        if file is not None and file.object == file.name:
            yield file.object
