"""Validating many rows again, and moving them in one commit.

Rows are collected in ascending order into files of a scratch folder, the engine validates a file for each schema
version, and the results become the changes of a plan. The plan keeps the state of every row as it was read. If a row
has another state at the commit, the plan is outdated and has to be made anew.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import fastcsv
from stewardd.batches.manifest import BatchManifest
from stewardd.batches.states import MAX_ATTEMPT, State
from stewardd.errors import Exhausted
from stewardd.quarantine.changing.revalidation import Revalidator, write_row
from stewardd.quarantine.files.records import RowViolation
from stewardd.quarantine.files.worker_threads import WorkerThreads
from stewardd.quarantine.finding.rows import Row
from stewardd.quarantine.log.batch_logs import AppendResult, BatchLogs
from stewardd.quarantine.log.batch_state import BatchState
from stewardd.quarantine.log.changes import (
    CHANGE_CODEC,
    CHANGES,
    Action,
    Change,
    read_change_line,
)
from stewardd.quarantine.log.commits import STATES, BatchCommit, ChangeCounts, inline_commit
from stewardd.quarantine.log.planned_commit import PlanOutdated
from stewardd.repository.identifiers import uuid7
from stewardd.schemas.kinds import CompiledSchema

# A commit holds changes of so many bytes itself; more of them are stored as files.
INLINE_BYTES = 64 * 1024
_ROWS = "rows.jsonl"
_InvalidRows = Iterator[tuple[int, tuple[RowViolation, ...]]]


@dataclass(slots=True)
class _VersionFile:
    """The rows that one schema version validates, as a CSV file."""

    schema: fastcsv.Schema
    path: Path
    file: IO[bytes]


@dataclass(frozen=True, slots=True)
class RevalidationPlan:
    """Changes to commit: their files, and the states that the rows had when they were read."""

    folder: Path
    counts: ChangeCounts
    rewritten: int
    rows: array[int]
    states_read: array[int]

    def is_current(self, state: BatchState) -> bool:
        """Whether no row has changed since: neither its state nor, by an erasure, its cells."""
        states = state.states
        return state.rewritten == self.rewritten and all(
            states[row].packed() == was
            for row, was in zip(self.rows, self.states_read, strict=True)
        )

    def changes(self) -> Iterator[Change]:
        """The changes in ascending order of rows."""
        with (self.folder / CHANGES).open("rb") as lines:
            yield from map(read_change_line, lines)


@dataclass(slots=True)
class BulkRevalidation:
    """Collects rows in ascending order, then validates them. For worker threads.

    `rewritten` is that of the batch's state from which the rows are read. Payloads are judged when they are added.
    """

    revalidator: Revalidator
    columns: Sequence[str]
    folder: Path
    rewritten: int
    strict: bool = False
    _versions: dict[str, _VersionFile] = field(default_factory=dict)
    _numbers: array[int] = field(default_factory=lambda: array("Q"))
    _states_read: array[int] = field(default_factory=lambda: array("H"))
    _files: ExitStack = field(default_factory=ExitStack)
    _rows: IO[bytes] | None = None

    def add(self, row: Row, cells: Mapping[str, str], schema: CompiledSchema) -> None:
        """Adds a row, with the cells and the schema to validate it by. Raises: Exhausted."""
        if row.state.attempt >= MAX_ATTEMPT:
            raise Exhausted(f"row {row.number} was judged {MAX_ATTEMPT} times")
        if self._rows is None:
            self._rows = self._files.enter_context((self.folder / _ROWS).open("wb"))
        ordered = [cells.get(column, "") for column in self.columns]
        violations: Sequence[RowViolation] = ()
        if isinstance(schema, fastcsv.PayloadSchema):
            violations = self.revalidator.violations_of(
                schema, self.columns, cells, strict=self.strict
            )
        else:
            write_row(self._version_file(schema), ordered)
        now = row.cells
        unchanged = ordered == [now.get(column, "") for column in self.columns]
        new_cells = None if unchanged else dict(zip(self.columns, ordered, strict=True))
        found = [[each.field, each.keyword, each.message, each.value] for each in violations]
        added = [row.number, row.state.attempt + 1, schema.version, new_cells, found]
        self._rows.write(json.dumps(added).encode() + b"\n")
        self._numbers.append(row.number)
        self._states_read.append(row.state.packed())

    def _version_file(self, schema: fastcsv.Schema) -> IO[bytes]:
        version = self._versions.get(schema.version)
        if version is None:
            path = self.folder / f"{schema.version}.csv"
            file = self._files.enter_context(path.open("wb"))
            version = self._versions[schema.version] = _VersionFile(schema, path, file)
            write_row(file, self.columns)
        return version.file

    def validate(self) -> RevalidationPlan:
        """Validates the rows.

        Raises: HeaderRefused where a schema version requires a column that the file does not have; StorageFull.
        """
        self._files.close()
        results = {
            name: _ResultsInOrder(
                self.revalidator.validate_file(
                    each.schema, each.path, self.folder / f"{name}.validated"
                )
            )
            for name, each in self._versions.items()
        }
        counts = ChangeCounts()
        if self._numbers:
            with (
                (self.folder / _ROWS).open("rb") as rows,
                (self.folder / CHANGES).open("wb") as changes,
            ):
                for line in rows:
                    number, attempt, version, cells, found = json.loads(line)
                    violations = (
                        results[version].next_violations()
                        if version in results
                        else tuple(RowViolation(*each) for each in found)
                    )
                    state = State.OPEN if violations else State.RESOLVED
                    change = Change(number, state, attempt, version, cells, violations)
                    changes.write(CHANGE_CODEC.encode(change))
                    counts.add(change)
            (self.folder / STATES).write_bytes(counts.states.built().to_bytes())
        return RevalidationPlan(
            self.folder, counts, self.rewritten, self._numbers, self._states_read
        )

    def close(self) -> None:
        """Closes the files. The caller removes the folder.

        Files that `validate` has not closed are not needed any more, so it does not matter if the disk is full.
        """
        with suppress(OSError):
            self._files.close()


class _ResultsInOrder:
    """The violations of every row of a file, in order. The engine names only the invalid rows."""

    def __init__(self, invalid: _InvalidRows) -> None:
        self._invalid = invalid
        self._next_invalid = next(invalid, None)
        self._number = 0

    def next_violations(self) -> tuple[RowViolation, ...]:
        self._number += 1
        if self._next_invalid is None or self._next_invalid[0] != self._number:
            return ()
        violations = self._next_invalid[1]
        self._next_invalid = next(self._invalid, None)
        return violations


async def commit_plan(
    logs: BatchLogs,
    threads: WorkerThreads,
    batch: BatchManifest,
    plan: RevalidationPlan,
    action: Action,
    actor: str,
) -> AppendResult:
    """Commits a plan. Many changes are staged as files, few stand in the commit itself.

    Raises: PlanOutdated where a row has changed; LeaseLost, StorageFull, RowChanged, RepositoryDown.
    """

    async def checked(now: BatchState, commit: BatchCommit) -> BatchCommit:
        if not await threads.run(lambda: plan.is_current(now)):
            raise PlanOutdated
        return commit

    if (plan.folder / CHANGES).stat().st_size <= INLINE_BYTES:
        changes = await threads.run(lambda: list(plan.changes()))

        async def decide_inline(now: BatchState) -> BatchCommit:
            commit = BatchCommit(now.number + 1, uuid7(), action, logs.clock(), actor)
            return await checked(now, inline_commit(commit, changes))

        return await logs.append(batch, decide_inline)

    async with logs.log(batch).staged() as staged:
        for name in (CHANGES, STATES):
            await staged.put_file(name, plan.folder / name)

        async def decide_staged(now: BatchState) -> BatchCommit:
            commit = BatchCommit(
                now.number + 1, staged.identifier, action, logs.clock(), actor, stored=True
            )
            return await checked(now, plan.counts.put_into(commit))

        return await logs.append_staged(batch, staged, decide_staged)
