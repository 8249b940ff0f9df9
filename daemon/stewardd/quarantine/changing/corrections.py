"""Correcting one row, and discarding rows. Each is a small commit of the batch's log.

A row is validated before the commit, and the commit checks that the row has not changed meanwhile; else the caller gets
an error. A correction that is sent a second time changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from stewardd.batches.manifest import BatchManifest
from stewardd.batches.states import MAX_ATTEMPT, State
from stewardd.config.validation import ValidationSettings
from stewardd.errors import BatchRewritten, Exhausted, InvalidRequest, RowChanged, RowClosed
from stewardd.quarantine.changing.revalidation import Revalidator
from stewardd.quarantine.files.payload_records import PAYLOAD
from stewardd.quarantine.files.records import RowViolation
from stewardd.quarantine.finding.batch_reader import BatchReader
from stewardd.quarantine.finding.rows import BatchRows, Row
from stewardd.quarantine.log.batch_logs import BatchLogs
from stewardd.quarantine.log.batch_state import BatchState
from stewardd.quarantine.log.changes import Action, Change
from stewardd.quarantine.log.commits import BatchCommit, inline_commit
from stewardd.quarantine.log.planned_commit import PlanOutdated
from stewardd.repository.attempts import repeat_while_overtaken
from stewardd.repository.identifiers import uuid7
from stewardd.schemas.kinds import SchemaKind

_ATTEMPTS = 16


@dataclass(frozen=True, slots=True)
class DiscardResult:
    """How many rows were discarded, and how many had been discarded before."""

    discarded_rows: int
    unchanged_rows: int


@dataclass(frozen=True, slots=True)
class _Correction:
    """A correction that was validated. `repeated`: the row has just these cells already."""

    batch: BatchManifest
    rewritten: int
    row: Row
    cells: dict[str, str]
    version: str
    violations: tuple[RowViolation, ...]
    repeated: bool


class Corrections:
    """Corrects and discards rows."""

    def __init__(
        self,
        reader: BatchReader,
        logs: BatchLogs,
        revalidator: Revalidator,
        limits: ValidationSettings,
    ) -> None:
        self._reader = reader
        self._logs = logs
        self._revalidator = revalidator
        self._limits = limits

    async def correct(
        self,
        batch_id: str,
        number: int,
        cells: Mapping[str, str],
        *,
        version: str | None = None,
        etag: str = "",
        actor: str = "",
    ) -> Row:
        """Corrects one row, and returns it as it is then. Cells that are not given stay as they are.

        Raises: BatchNotFound, RowNotFound, RowPurged, RowClosed, RowChanged; InvalidRequest for an unknown column or
        version and for a cell that is too long; HeaderRefused where the version requires a column that the file does
        not have.
        """
        # A longer cell would be stored in the log, fail at every attempt, and fit into no sheet.
        for column, cell in cells.items():
            self._check_size(column, cell)
        # A rewriting of the batch may have left this row as it was. So it is no error for the caller, as long as the
        # row itself has not changed.
        return await repeat_while_overtaken(
            lambda: self._correct_once(batch_id, number, cells, version, etag, actor),
            PlanOutdated,
            attempts=_ATTEMPTS,
            failure=BatchRewritten("others rewrite this batch all the time", retry_after_s=1),
        )

    def _check_size(self, column: str, cell: str) -> None:
        most, setting = self._limits.max_field_bytes, "max_field_bytes"
        what = f"the cell of {column[:64]!r}"
        if column == PAYLOAD:
            most, setting = self._limits.max_payload_bytes, "max_payload_bytes"
            what = "the payload"
        if len(cell.encode(errors="surrogatepass")) > most:
            raise InvalidRequest(
                f"{what} is longer than {most} bytes",
                field="cells",
                hint=f"shorten it; the bound is `validation.{setting}`",
            )

    async def _correct_once(
        self,
        batch_id: str,
        number: int,
        cells: Mapping[str, str],
        version: str | None,
        etag: str,
        actor: str,
    ) -> Row:
        found = await self._reader.read(
            batch_id, lambda rows: self._validated(rows, number, cells, version)
        )
        row = found.row
        if found.repeated:
            return row.fitting()
        if row.state.state is not State.OPEN:
            raise _closed(number, row.state.state)
        if etag not in ("", row.etag):
            raise RowChanged(f"row {number} is not as it was: it has {row.etag}")
        change = _change_of(found)

        async def decide(now: BatchState) -> BatchCommit | None:
            if now.states[number] != row.state:
                raise RowChanged(f"row {number} was changed meanwhile")
            if now.rewritten != found.rewritten:
                raise PlanOutdated
            commit = BatchCommit(now.number + 1, uuid7(), Action.CORRECT, self._logs.clock(), actor)
            return inline_commit(commit, [change])

        appended = await self._logs.append(found.batch, decide)
        assert appended.commit is not None
        # The row is not read again: a purge may have removed it by now.
        return replace(
            row, state=change.row_state, events=(*row.events, appended.commit.event(change))
        ).fitting()

    async def discard(
        self, batch_id: str, numbers: Sequence[int], *, reason: str, actor: str = ""
    ) -> DiscardResult:
        """Discards rows, all of them or none.

        Raises: BatchNotFound, RowNotFound, RowPurged; RowClosed where one of them is resolved.
        """
        wanted = sorted(set(numbers))

        def require(rows: BatchRows) -> BatchManifest:
            rows.require(wanted)
            return rows.batch

        batch = await self._reader.read(batch_id, require)

        async def decide(now: BatchState) -> BatchCommit | None:
            changes = []
            for number in wanted:
                row = now.states[number]
                if row.state is State.RESOLVED:
                    raise _closed(number, row.state)
                if row.state is State.OPEN:
                    changes.append(Change(number, State.DISCARDED, row.attempt))
            if not changes:
                return None
            time = self._logs.clock()
            commit = BatchCommit(now.number + 1, uuid7(), Action.DISCARD, time, actor, reason)
            return inline_commit(commit, changes)

        appended = await self._logs.append(batch, decide)
        discarded = appended.commit.rows if appended.commit is not None else 0
        return DiscardResult(discarded, len(wanted) - discarded)

    def _validated(
        self, rows: BatchRows, number: int, cells: Mapping[str, str], version: str | None
    ) -> _Correction:
        row = rows.get(number)
        batch = rows.batch
        schema = self._revalidator.schema(batch, version or row.validated_by)
        columns = self._revalidator.columns.of_batch(rows.store, batch)
        for column in cells:
            if column not in columns:
                raise _no_column(column, batch)
        before = {} if row.damaged else row.cells
        after = {column: before.get(column, "") for column in columns} | dict(cells)
        repeated = (
            row.corrected is not None
            and row.digest_of(row.corrected) == row.digest_of(after)
            and row.validated_by == schema.version
            and row.state.state is not State.DISCARDED
        )
        violations: tuple[RowViolation, ...] = ()
        if not repeated:
            violations = self._revalidator.violations_of(
                schema, columns, after, strict=batch.strict
            )
        return _Correction(
            batch, rows.state.rewritten, row, after, schema.version, violations, repeated
        )


def _change_of(correction: _Correction) -> Change:
    attempt = correction.row.state.attempt + 1
    if attempt > MAX_ATTEMPT:
        raise Exhausted(f"row {correction.row.number} was judged {MAX_ATTEMPT} times")
    return Change(
        row=correction.row.number,
        state=State.OPEN if correction.violations else State.RESOLVED,
        attempt=attempt,
        version=correction.version,
        cells=correction.cells,
        violations=correction.violations,
    )


def _no_column(column: str, batch: BatchManifest) -> InvalidRequest:
    if batch.kind is SchemaKind.PAYLOAD:
        return InvalidRequest(
            "a payload is corrected as a whole",
            field="cells",
            hint="give one cell without a column name, the corrected payload",
        )
    return InvalidRequest(f"the file has no column {column[:64]!r}", field="cells")


def _closed(number: int, state: State) -> RowClosed:
    return RowClosed(f"row {number} is {state.name.lower()}")
