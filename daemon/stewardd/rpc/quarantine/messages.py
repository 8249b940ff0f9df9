"""Quarantined rows, their events and their exports, as messages of the contract."""

from __future__ import annotations

from collections.abc import Iterable

from steward.v1 import quarantine_pb2 as q
from steward.v1 import validation_pb2

from stewardd.batches.states import State
from stewardd.errors import InvalidRequest
from stewardd.quarantine.changing.sheet_comparison import DamagedCell
from stewardd.quarantine.exporting.export_file import ExportFormat, ExportRequest
from stewardd.quarantine.files.records import CUT_CHARACTERS, RowViolation, cut_cells
from stewardd.quarantine.finding.row_filter import RowFilter
from stewardd.quarantine.finding.rows import Row
from stewardd.quarantine.log.changes import Action, RowEvent
from stewardd.quarantine.log.commits import Export
from stewardd.rpc import names
from stewardd.rpc.filters import state_message, state_of
from stewardd.rpc.names import word_of
from stewardd.rpc.times import timestamp
from stewardd.rpc.validation.messages import KINDS

HISTORY_BYTES = 1024 * 1024
HISTORY_EVENTS = 1000
_ACTIONS = {
    Action.CORRECT: q.RowEvent.ACTION_CORRECT,
    Action.RESUBMIT: q.RowEvent.ACTION_RESUBMIT,
    Action.RETRY: q.RowEvent.ACTION_RETRY,
    Action.DISCARD: q.RowEvent.ACTION_DISCARD,
}
_FORMATS = {
    q.ExportQuarantineRequest.FORMAT_SHEET: ExportFormat.SHEET,
    q.ExportQuarantineRequest.FORMAT_CSV: ExportFormat.CSV,
    q.ExportQuarantineRequest.FORMAT_JSON: ExportFormat.JSON,
}


def row_message(row: Row, *, history: bool = False) -> q.QuarantinedRow:
    """Returns a row as the contract has it, with its history only where `history` says so."""
    record = row.record
    message = q.QuarantinedRow(
        name=names.row(row.batch_id, row.number),
        row_number=row.number,
        line_number=record.line_number,
        byte_offset=record.byte_offset,
        raw_row=record.raw_row,
        recovered=record.recovered,
        truncated=record.truncated,
        quarantine_time=timestamp(record.quarantine_time),
        cells=cell_messages((*record.cells, *(("_extra", value) for value in record.extra))),
        violations=violation_messages(record.violations),
        state=state_message(row.state.state),
        attempt=row.state.attempt,
        etag=row.etag,
        schema=names.schema(row.schema, row.validated_by),
        kind=KINDS[row.kind],
    )
    if row.corrected is not None:
        cells = tuple(row.corrected.items())
        message.corrected_cells.extend(
            cell_messages(cut_cells(cells) if record.truncated else cells)
        )
    if row.events:
        message.update_time.CopyFrom(timestamp(row.events[-1].time))
    if row.state.state is State.OPEN and row.state.attempt:
        found = row.violations
        message.current_violations.extend(
            violation_messages([each.cut() for each in found] if record.truncated else found)
        )
    if history:
        message.history.extend(_history(row))
    return message


def cell_messages(cells: Iterable[tuple[str, str]]) -> list[q.QuarantinedRow.Cell]:
    """Returns cells as the contract has them."""
    return [q.QuarantinedRow.Cell(column=column, value=value) for column, value in cells]


def violation_messages(violations: Iterable[RowViolation]) -> list[q.QuarantinedRow.Violation]:
    """Returns violations as the contract has them."""
    return [
        q.QuarantinedRow.Violation(
            field=each.field, keyword=each.keyword, message=each.message, value=each.value
        )
        for each in violations
    ]


def _history(row: Row) -> Iterable[q.RowEvent]:
    before = row.record.cells
    state_before = validation_pb2.ROW_STATE_OPEN
    size_bytes = 0
    left_out = len(row.events) - HISTORY_EVENTS
    for place, event in enumerate(row.events):
        message = _event(row, event)
        message.state_before = state_before
        message.cells_before.extend(cell_messages(before))
        state_before = message.state_after
        before = tuple((event.change.cells or dict(before)).items())
        if place < left_out:
            continue
        size_bytes += message.ByteSize()
        if size_bytes > HISTORY_BYTES:
            _cut(message)
        yield message


def _cut(message: q.RowEvent) -> None:
    """Cuts values to their beginnings, so that a long history of a large row fits into a message."""
    for cell in (*message.cells_before, *message.cells_after):
        cell.value = cell.value[:CUT_CHARACTERS]
    for violation in message.violations:
        violation.value = violation.value[:CUT_CHARACTERS]


def _event(row: Row, event: RowEvent) -> q.RowEvent:
    change = event.change
    judged = event.action is not Action.DISCARD
    return q.RowEvent(
        commit=event.commit,
        event_time=timestamp(event.time),
        actor=event.actor,
        action=_ACTIONS[event.action],
        state_after=state_message(change.state),
        attempt=change.attempt if judged else 0,
        schema=names.schema(row.schema, change.version) if judged else "",
        cells_after=cell_messages((change.cells or {}).items()),
        violations=violation_messages(change.violations),
        reason=event.reason,
    )


def damaged_messages(
    cells: Iterable[DamagedCell],
) -> list[q.ResubmitSheetResponse.DamagedCell]:
    """Returns the cells that a spreadsheet has damaged."""
    return [
        q.ResubmitSheetResponse.DamagedCell(
            row_number=each.row,
            line_number=each.line,
            column=each.column,
            damage=each.damage.value,
        )
        for each in cells
    ]


def export_message(batch_id: str, export: Export) -> q.Export:
    """Returns an export as the contract has it."""
    return q.Export(
        name=names.export(batch_id, export.identifier),
        cursor=export.cursor,
        create_time=timestamp(export.time),
        after_commit=export.after,
        commit=export.commit,
        resolved_rows=export.resolved_rows,
        valid_rows=export.valid_rows,
        actor=export.actor,
    )


def export_request_of(request: q.ExportQuarantineRequest) -> ExportRequest:
    """Returns which rows to export, as which file. Raises: InvalidRequest."""
    batch_id, export_id = names.parse_export(request.name)
    kind = _FORMATS.get(request.format)
    if kind is None:
        raise InvalidRequest("format is not one of sheet, csv and json", field="format")
    state = state_of(request.state)
    if kind is ExportFormat.CSV and (
        state not in (None, State.RESOLVED) or request.field or request.keyword
    ):
        raise InvalidRequest("the CSV has all good rows, by no filter", field="format")
    if kind is not ExportFormat.CSV and (request.include_valid or request.original_order):
        raise InvalidRequest("include_valid and original_order go with the CSV", field="format")
    wanted = RowFilter(
        State.OPEN if state is None else state,
        word_of(request.field, field="field") or None,
        word_of(request.keyword, field="keyword") or None,
    )
    return ExportRequest(
        batch_id, export_id, kind, wanted, request.include_valid, request.original_order
    )
