"""Many rows judged again, and moved in one commit.

Candidates are gathered in row order into files of a scratch folder, judged by the engine a schema version at a time,
and become a commit's changes. What each row was like when it was gathered is held against what it is like in the
attempt to commit: if any changed meanwhile, it is all done anew from how things are then.
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
from stewardd.quarantine.blocking import Threads
from stewardd.quarantine.commit import (
    CHANGES,
    STATES,
    Action,
    Change,
    Commit,
    Tally,
    change_of_line,
    small_commit,
)
from stewardd.quarantine.fold import BatchState
from stewardd.quarantine.judge import Judge, write_row
from stewardd.quarantine.ledger import Appended, Ledger
from stewardd.quarantine.record import RowViolation
from stewardd.quarantine.rows import Row
from stewardd.repository.identifiers import uuid7

# Changes of so many bytes stand in the commit itself.
INLINE_BYTES = 64 * 1024
_CANDIDATES = "candidates.jsonl"
_Verdicts = Iterator[tuple[int, tuple[RowViolation, ...]]]


class Stale(Exception):
    """A row is no longer as it was when it was judged."""


@dataclass(slots=True)
class _Version:
    """The candidates that are judged by one schema version."""

    schema: fastcsv.Schema
    path: Path
    file: IO[bytes]


@dataclass(frozen=True, slots=True)
class Plan:
    """Changes that are ready to be committed: their files, and what the rows must still be like."""

    folder: Path
    tally: Tally
    rewritten: int
    rows: array[int]
    expected: array[int]

    def holds(self, state: BatchState) -> bool:
        """Whether no row has changed, in its state or, by an erasure, in what it holds."""
        states = state.states
        return state.rewritten == self.rewritten and all(
            states[row].packed() == was for row, was in zip(self.rows, self.expected, strict=True)
        )

    def changes(self) -> Iterator[Change]:
        """The changes, in row order."""
        with (self.folder / CHANGES).open("rb") as lines:
            yield from map(change_of_line, lines)


@dataclass(slots=True)
class Bulk:
    """Gathers candidates, in ascending row order, then judges them. For threads.

    `rewritten` is that of the state which the candidates are from.
    """

    judge: Judge
    columns: Sequence[str]
    folder: Path
    rewritten: int
    _versions: dict[str, _Version] = field(default_factory=dict)
    _rows: array[int] = field(default_factory=lambda: array("Q"))
    _expected: array[int] = field(default_factory=lambda: array("H"))
    _open: ExitStack = field(default_factory=ExitStack)
    _candidates: IO[bytes] | None = None

    def add(self, row: Row, cells: Mapping[str, str], schema: fastcsv.Schema) -> None:
        """Takes a row, with the cells to judge it by."""
        if row.state.attempt >= MAX_ATTEMPT:
            raise Exhausted(f"row {row.number} was judged {MAX_ATTEMPT} times")
        if self._candidates is None:
            self._candidates = self._open.enter_context((self.folder / _CANDIDATES).open("wb"))
        version = self._versions.get(schema.version)
        if version is None:
            path = self.folder / f"{schema.version}.csv"
            file = self._open.enter_context(path.open("wb"))
            version = self._versions[schema.version] = _Version(schema, path, file)
            write_row(file, self.columns)
        ordered = [cells.get(column, "") for column in self.columns]
        write_row(version.file, ordered)
        now = row.cells
        unchanged = ordered == [now.get(column, "") for column in self.columns]
        kept = None if unchanged else dict(zip(self.columns, ordered, strict=True))
        candidate = [row.number, row.state.attempt + 1, schema.version, kept]
        self._candidates.write(json.dumps(candidate, ensure_ascii=False).encode() + b"\n")
        self._rows.append(row.number)
        self._expected.append(row.state.packed())

    def judged(self) -> Plan:
        """Judges them. HeaderRefused where a version requires a column that is not there; StorageFull."""
        self._open.close()
        verdicts = {
            name: _Answers(self.judge.file(each.schema, each.path, self.folder / f"{name}.judged"))
            for name, each in self._versions.items()
        }
        tally = Tally()
        if self._rows:
            with (
                (self.folder / _CANDIDATES).open("rb") as candidates,
                (self.folder / CHANGES).open("wb") as changes,
            ):
                for line in candidates:
                    number, attempt, version, cells = json.loads(line)
                    violations = verdicts[version].next()
                    state = State.OPEN if violations else State.RESOLVED
                    change = Change(number, state, attempt, version, cells, violations)
                    changes.write(change.to_line())
                    tally.add(change)
            (self.folder / STATES).write_bytes(tally.states.built().to_bytes())
        return Plan(self.folder, tally, self.rewritten, self._rows, self._expected)

    def close(self) -> None:
        """Closes its files; the folder is its maker's.

        Files that `judged` has not closed are of no use any more: that they find no room is nobody's error.
        """
        with suppress(OSError):
            self._open.close()


class _Answers:
    """Violations by ordinal, asked for one after the other; the engine names the invalid ones only."""

    def __init__(self, verdicts: _Verdicts) -> None:
        self._verdicts = verdicts
        self._coming = next(verdicts, None)
        self._ordinal = 0

    def next(self) -> tuple[RowViolation, ...]:
        self._ordinal += 1
        if self._coming is None or self._coming[0] != self._ordinal:
            return ()
        found = self._coming[1]
        self._coming = next(self._verdicts, None)
        return found


async def commit_plan(
    ledger: Ledger, threads: Threads, batch: BatchManifest, plan: Plan, action: Action, actor: str
) -> Appended:
    """Commits a plan, inline or with its changes as data. Stale where a row has changed; LeaseLost, StorageFull."""

    async def checked(now: BatchState, commit: Commit) -> Commit:
        if not await threads.run(lambda: plan.holds(now)):
            raise Stale
        return commit

    if (plan.folder / CHANGES).stat().st_size <= INLINE_BYTES:
        changes = await threads.run(lambda: list(plan.changes()))

        async def small(now: BatchState) -> Commit:
            commit = Commit(now.number + 1, uuid7(), action, ledger.clock(), actor)
            return await checked(now, small_commit(commit, changes))

        return await ledger.append(batch, small)

    async with ledger.log(batch).staged() as staged:
        for name in (CHANGES, STATES):
            await staged.put_file(name, plan.folder / name)

        async def large(now: BatchState) -> Commit:
            commit = Commit(
                now.number + 1, staged.identifier, action, ledger.clock(), actor, stored=True
            )
            return await checked(now, plan.tally.put_into(commit))

        return await ledger.append_staged(batch, staged, large)
