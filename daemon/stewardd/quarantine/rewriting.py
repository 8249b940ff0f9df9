"""Taking something out of a batch for good: its files and its log are written anew, and one commit switches to them.

The new files lie in the data of that commit; it stands for all commits before it, whose data is then removed, with the
old files. A kill before the commit leaves the batch as it was, one after it leaves what the sweep removes: at no moment
is a row lost that was to stay, or in two states.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any, Protocol, Self

import google_crc32c

from stewardd.batches.catalog import BatchCatalog
from stewardd.batches.manifest import BatchManifest
from stewardd.batches.states import RowStates, State
from stewardd.errors import RowChanged
from stewardd.quarantine.blocking import Threads
from stewardd.quarantine.bulk import Stale
from stewardd.quarantine.commit import STATES, Action, Commit, Event, Rewrite
from stewardd.quarantine.csv_records import csv_line, guarded, split
from stewardd.quarantine.events import HISTORY
from stewardd.quarantine.fold import BatchState
from stewardd.quarantine.good_rows import VALID
from stewardd.quarantine.judge import Judge
from stewardd.quarantine.ledger import CHECKPOINT, Ledger
from stewardd.quarantine.record import record_of
from stewardd.quarantine.rereading import Reader
from stewardd.quarantine.rows import RECORDS, Rows
from stewardd.repository.log import Staged
from stewardd.repository.rereading import pause

ERRORS = "errors.csv"
ARCHIVE = "rows.jsonl.zst"
_RACES = (
    32  # it takes as long as the batch is large, and each correction meanwhile costs an attempt
)


class Rewriter(Protocol):
    """What is to be taken out of a batch; one is made for each attempt."""

    def concerns(self, rows: Rows) -> bool:
        """Whether the batch is worth going through."""

    def begin(self, rows: Rows, folder: Path) -> None:
        """Is told the batch as it is, and given a folder."""

    def row(
        self, number: int, line: bytes, events: list[Event]
    ) -> tuple[bytes | None, list[Event]]:
        """What a row's line and its events become; None for a line that goes. What is returned as it came stays."""

    def valid(self, record: bytes) -> bytes:
        """What a record of valid.csv becomes."""

    def text(self, text: str) -> str:
        """What a word that somebody left becomes."""

    def end(self) -> Ended:
        """What came of it."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What came of a rewriting, beside the files. Nothing is done unless it `changed` anything.

    `effect` are states that rows get by it; `archives` are files that outlive it, and those of before that stay;
    `dropped_archives` those that do not.
    """

    changed: bool
    effect: RowStates = field(default_factory=RowStates)
    new_archive: Path | None = None
    archives: tuple[str, ...] = ()
    dropped_archives: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Written:
    """A new file."""

    name: str
    path: Path
    size_bytes: int
    crc32c: int


class Rewriting:
    """Rewrites batches."""

    def __init__(
        self, batches: BatchCatalog, ledger: Ledger, judge: Judge, threads: Threads
    ) -> None:
        self._reader = Reader(batches, ledger, threads)
        self._ledger = ledger
        self._judge = judge
        self._threads = threads

    async def rewrite(
        self, batch_id: str, action: Action, actor: str, rewriter: Rewriter, *, dry_run: bool
    ) -> Ended:
        """Rewrites a batch.

        Raises: BatchNotFound, RowChanged and BatchRewritten where others are always faster, StorageFull, LeaseLost.
        """

        async def once(rows: Rows) -> Ended:
            if not await self._threads.run(lambda: rewriter.concerns(rows)):
                return Ended(changed=False)
            with self._judge.folder() as folder:
                written, ended = await self._threads.run(lambda: _write(rows, folder, rewriter))
                if ended.changed and not dry_run:
                    await self._commit(rows, written, ended, action, actor, rewriter)
                return ended

        for attempt in range(_RACES):
            try:
                return await self._reader.work(batch_id, once)
            except Stale:
                await pause(attempt)
        raise RowChanged("others change this batch's rows all the time", retry_after_s=1)

    async def _commit(
        self,
        rows: Rows,
        written: list[_Written],
        ended: Ended,
        action: Action,
        actor: str,
        rewriter: Rewriter,
    ) -> None:
        batch, state = rows.batch, rows.state
        async with self._ledger.log(batch).staged() as staged:
            files = [await self._put(staged, each) for each in written]
            archives = list(ended.archives)
            if ended.new_archive is not None:
                archives.append(await staged.put_file(ARCHIVE, ended.new_archive, kept=True))
            path = written[0].path.parent / STATES
            # Of five million rows this takes seconds: not on the event loop.
            resolved_rows, discarded_rows = await self._threads.run(
                lambda: _write_states(path, state.states.overlaid(ended.effect))
            )
            await staged.put_file(STATES, path)
            commit = Commit(
                state.number + 1,
                staged.identifier,
                action,
                self._ledger.clock(),
                actor,
                stored=True,
                rewrite=Rewrite(
                    files=tuple(_files(batch, files)),
                    has_history=any(each["name"] == HISTORY for each in files),
                    exports=tuple(
                        replace(each, actor=rewriter.text(each.actor)).as_document()
                        for each in state.exports
                    ),
                    resolved_rows=resolved_rows,
                    discarded_rows=discarded_rows,
                    archives=tuple(archives),
                    facts=ended.facts,
                    # A checkpoint from before holds what is taken out.
                    removes=(*_replaced(batch, files), *ended.dropped_archives, CHECKPOINT),
                ),
            )

            async def decide(now: BatchState) -> Commit:
                if now.number != state.number:
                    raise Stale
                return commit

            await self._ledger.append_staged(batch, staged, decide)

    async def _put(self, staged: Staged, written: _Written) -> dict[str, Any]:
        at = await staged.put_file(written.name, written.path)
        return {
            "name": written.name,
            "size_bytes": written.size_bytes,
            "crc32c": written.crc32c,
            "at": at,
        }


def _write_states(path: Path, states: RowStates) -> tuple[int, int]:
    """Writes them; returns how many rows are resolved, and how many discarded."""
    path.write_bytes(states.to_bytes())
    return states.count(State.RESOLVED), states.count(State.DISCARDED)


def _files(batch: BatchManifest, written: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The files of the batch from now on: the new ones, and the report, which counts what was found first."""
    yield from (each for each in written if each["name"] != HISTORY)
    report = batch.file("report.json")
    if report is not None:
        yield {
            "name": report.name,
            "size_bytes": report.size_bytes,
            "crc32c": report.crc32c,
            "at": report.object,
        }


def _replaced(batch: BatchManifest, written: list[dict[str, Any]]) -> Iterator[str]:
    """What lay under the batch's own keys; what an earlier rewriting wrote goes with its commit."""
    for each in written:
        file = batch.file(each["name"])
        if file is not None and file.object == file.name:
            yield file.object


def _write(rows: Rows, folder: Path, rewriter: Rewriter) -> tuple[list[_Written], Ended]:
    rewriter.begin(rows, folder)
    changed = array("Q")
    with _New(folder, RECORDS) as records, _New(folder, HISTORY) as history:
        happened = rows.events.joined()
        for _, line in rows.lines.read():
            number = rows.lines.number_of(line)
            events = happened.at(number)
            new_line, new_events = rewriter.row(number, line, events)
            if new_line is not None:
                records.write(new_line)
            if new_line != line:
                changed.append(number)
            for event in new_events:
                history.write(event.to_line())
    written = [records.written, *([history.written] if history.written.size_bytes else [])]
    if rows.batch.file(ERRORS) is not None:
        written.append(_write_errors(rows, folder, changed, folder / RECORDS))
    valid = rows.batch.file(VALID)
    if valid is not None:
        with _New(folder, VALID) as file:
            for record in split(rows.store.read(rows.batch.key(valid))):
                file.write(rewriter.valid(record))
        written.append(file.written)
    return written, rewriter.end()


def _write_errors(rows: Rows, folder: Path, changed: array[int], records: Path) -> _Written:
    """errors.csv, with the lines of changed rows made anew, or left out where the row is gone."""
    file = rows.batch.file(ERRORS)
    assert file is not None
    old = split(rows.store.read(rows.batch.key(file)))
    with _New(folder, ERRORS) as out, records.open("rb") as lines:
        out.write(next(old, b""))
        pending = iter(changed)
        coming = next(pending, None)
        done = 0
        for record in old:
            number = int(record[: record.find(b",")])
            while coming is not None and coming < number:
                coming = next(pending, None)
            if coming == number:
                # The first line of a changed row: all its lines are written now, and the old ones skipped.
                for line in _errors_of(rows, lines, number):
                    out.write(line)
                coming, done = next(pending, None), number
            elif number != done:
                out.write(record)
    return out.written


def _errors_of(rows: Rows, lines: IO[bytes], number: int) -> Iterator[bytes]:
    for line in lines:
        found = rows.lines.number_of(line)
        if found == number:
            record = record_of(line)
            when = record.quarantine_time.strftime("%Y-%m-%dT%H:%M:%SZ")
            for each in record.violations:
                cells = [str(number), each.field, each.message, each.value or "", when]
                yield csv_line([guarded(cell) for cell in cells])
            return
        if found > number:
            lines.seek(-len(line), 1)
            return


class _New:
    """A file that is being written, with its size and checksum."""

    def __init__(self, folder: Path, name: str) -> None:
        self._name = name
        self._path = folder / name
        self._size_bytes = 0
        self._crc32c = google_crc32c.Checksum()

    def __enter__(self) -> Self:
        self._file = self._path.open("wb")
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def write(self, data: bytes) -> None:
        self._file.write(data)
        self._crc32c.update(data)
        self._size_bytes += len(data)

    @property
    def written(self) -> _Written:
        crc32c = int.from_bytes(self._crc32c.digest(), "big")
        return _Written(self._name, self._path, self._size_bytes, crc32c)
