"""The quarantine, as the contract's server serves it: what is asked of it is kept, what it answers is simple.

A row is valid when its rating is at most 1. A sheet has lines `row number,rating`.
"""

from __future__ import annotations

from collections.abc import Iterator

import google_crc32c
from google.longrunning import operations_pb2
from google.protobuf.message import Message
from steward.v1 import quarantine_pb2 as q
from steward.v1 import quarantine_pb2_grpc
from steward.v1 import validation_pb2 as v

from tests.unit.client.contract_state import State, page_of, refuse

Chunk = q.ExportQuarantineResponse


class Quarantine(State, quarantine_pb2_grpc.QuarantineServiceServicer):
    """QuarantineService."""

    def ListQuarantinedRows(self, request, context) -> q.ListQuarantinedRowsResponse:
        self._came("ListQuarantinedRows", request, context)
        batches = reversed(self.rows) if request.parent == "batches/-" else [request.parent]
        found = [row for name in batches for row in self.rows[name]]
        if request.state:
            found = [row for row in found if row.state == request.state]
        page, token = page_of(found, request)
        return q.ListQuarantinedRowsResponse(rows=page, next_page_token=token)

    def GetQuarantinedRow(self, request, context) -> q.QuarantinedRow:
        self._came("GetQuarantinedRow", request, context)
        return self._row_named(request.name, context)

    def GetQuarantineStats(self, request, context) -> q.QuarantineStats:
        self._came("GetQuarantineStats", request, context)
        return self.stats

    def CorrectRow(self, request, context) -> q.QuarantinedRow:
        self._came("CorrectRow", request, context)
        row = self._row_named(request.name, context)
        if request.etag not in ("", row.etag):
            refuse(context, "ABORTED", "ROW_CHANGED", "somebody was faster", "read it again")
        self._judge(row, {cell.column: cell.value for cell in request.cells}, request.actor)
        return row

    def DiscardRows(self, request, context) -> q.DiscardRowsResponse:
        self._came("DiscardRows", request, context)
        found = [
            self._row_named(f"{request.parent}/rows/{n}", context) for n in request.row_numbers
        ]
        fresh = [row for row in found if row.state != v.ROW_STATE_DISCARDED]
        for row in fresh:
            row.state = v.ROW_STATE_DISCARDED
        return q.DiscardRowsResponse(
            discarded_rows=len(fresh),
            unchanged_rows=len(found) - len(fresh),
            batch=self._batch_now(request.parent),
        )

    def ResubmitSheet(self, request_iterator, context) -> q.ResubmitSheetResponse:
        messages = list(request_iterator)
        opened = messages[0].open
        self._came("ResubmitSheet", opened, context)
        body = b"".join(each.chunk.data for each in messages[1:-1])
        commit = messages[-1].commit
        if (commit.size_bytes, commit.crc32c) != (len(body), google_crc32c.value(body)):
            refuse(context, "ABORTED", "UPLOAD_INCOMPLETE", "the sheet is cut", "send it again")
        self.sheets.append(body)
        parent = opened.parent or next(iter(self.rows))
        answer = q.ResubmitSheetResponse(commit=1)
        for line in body.decode().splitlines():
            number, _, rating = line.partition(",")
            row = self._row_named(f"{parent}/rows/{number}", context)
            answer.total_rows += 1
            if row.state != v.ROW_STATE_OPEN:
                answer.conflicting_rows += 1
                answer.conflicts.append(int(number))
            elif float(rating) > 1:
                answer.invalid_rows += 1
            else:
                answer.resolved_rows += 1
                if not opened.dry_run:
                    self._judge(row, {"rating": rating}, opened.actor)
        answer.batch.CopyFrom(self._batch_now(parent))
        return answer

    def CreateExport(self, request, context) -> q.Export:
        self._came("CreateExport", request, context)
        if request.request_id in self.by_request:
            return self.exports[int(self.by_request[request.request_id])]
        good = [row for row in self.rows[request.parent] if row.state == v.ROW_STATE_RESOLVED]
        had = sum(each.resolved_rows for each in self.exports if each.cursor == request.cursor)
        if len(good) == had:
            refuse(context, "FAILED_PRECONDITION", "NOTHING_TO_EXPORT", "nothing is new", "wait")
        export = q.Export(
            name=f"{request.parent}/exports/{len(self.exports)}",
            cursor=request.cursor,
            after_commit=had,
            commit=len(good),
            resolved_rows=len(good) - had,
            actor=request.actor,
        )
        export.create_time.FromJsonString("2026-01-02T03:04:05Z")
        self.by_request[request.request_id] = str(len(self.exports))
        self.exports.append(export)
        return export

    def ListExports(self, request, context) -> q.ListExportsResponse:
        self._came("ListExports", request, context)
        wanted = [each for each in self.exports if request.cursor in ("", each.cursor)]
        page, token = page_of(wanted, request)
        return q.ListExportsResponse(exports=page, next_page_token=token)

    def ExportQuarantine(self, request, context) -> Iterator[Chunk]:
        call = self._came("ExportQuarantine", request, context)
        fault = self.faults["exporting"].popleft() if self.faults["exporting"] else None
        yield Chunk(begin=Chunk.Begin(file_name=self.export_name))
        body = self.export_body
        for start in range(0, len(body), 1024):
            call.received_bytes = start
            if fault is not None:
                fault(call)
            yield Chunk(chunk=Chunk.Chunk(data=body[start : start + 1024]))
        if self.export_has_end:
            size, crc = self.export_claims or (len(body), google_crc32c.value(body))
            yield Chunk(end=Chunk.End(size_bytes=size, crc32c=crc, rows=body.count(b"\n")))

    def RetryQuarantine(self, request, context) -> operations_pb2.Operation:
        return self._operation_of(
            "RetryQuarantine",
            request,
            context,
            q.RetryQuarantineResponse(
                batches=2, judged_rows=5, resolved_rows=4, invalid_rows=1, dry_run=request.dry_run
            ),
        )

    def PurgeQuarantine(self, request, context) -> operations_pb2.Operation:
        return self._operation_of(
            "PurgeQuarantine",
            request,
            context,
            q.PurgeQuarantineResponse(
                batches=1,
                purged_rows=self.purged_rows,
                purged_by_state={"resolved": self.purged_rows},
                archived_bytes=2048 * request.archive,
                dry_run=request.dry_run,
            ),
        )

    def EraseSubject(self, request, context) -> operations_pb2.Operation:
        return self._operation_of(
            "EraseSubject",
            request,
            context,
            q.EraseSubjectResponse(
                scanned_batches=9,
                batches=2,
                quarantined_rows=3,
                events=1,
                subject_hash="ab" * 32,
                dry_run=request.dry_run,
            ),
        )

    # --- How it is done

    def _came(self, method: str, request: Message, context):
        self.requests.append(request)
        return self.enter(method, context)

    def _row_named(self, name: str, context) -> q.QuarantinedRow:
        for row in self.rows.get(name.partition("/rows/")[0], []):
            if row.name == name:
                return row
        refuse(context, "NOT_FOUND", "ROW_NOT_FOUND", f"there is no {name}", "list the rows")
        raise AssertionError("refuse ends the call")

    def _batch_now(self, name: str) -> v.Batch:
        batch = v.Batch()
        batch.CopyFrom(self.batches[name])
        states = [row.state for row in self.rows[name]]
        batch.open_rows = states.count(v.ROW_STATE_OPEN)
        batch.resolved_rows = states.count(v.ROW_STATE_RESOLVED)
        batch.discarded_rows = states.count(v.ROW_STATE_DISCARDED)
        return batch

    def _judge(self, row: q.QuarantinedRow, cells: dict[str, str], actor: str) -> None:
        before = {cell.column: cell.value for cell in row.cells}
        after = {**before, **cells}
        row.attempt += 1
        row.etag = f"a{row.attempt}"
        del row.corrected_cells[:], row.current_violations[:]
        for column, value in after.items():
            row.corrected_cells.add(column=column, value=value)
        event = row.history.add(
            commit=row.attempt, actor=actor, action=q.RowEvent.ACTION_CORRECT, attempt=row.attempt
        )
        event.event_time.FromJsonString("2026-01-03T03:04:05Z")
        row.update_time.CopyFrom(event.event_time)
        event.state_before = row.state
        for column, value in before.items():
            event.cells_before.add(column=column, value=value)
        event.cells_after.extend(row.corrected_cells)
        if float(after["rating"]) > 1:
            row.current_violations.add(
                field="rating", keyword="maximum", message="is more than 1", value=after["rating"]
            )
        else:
            row.state = v.ROW_STATE_RESOLVED
        event.state_after = row.state

    def _operation_of(
        self, method: str, request: Message, context, response: Message
    ) -> operations_pb2.Operation:
        self._came(method, request, context)
        operation = operations_pb2.Operation(name=f"operations/{len(self.operations)}")
        operation.metadata.Pack(
            q.QuarantineOperationMetadata(
                method=method,
                batches=2,
                rows=7,
                dry_run=request.dry_run,  # type: ignore[attr-defined]
            )
        )
        if self.backup_hold.is_set():
            operation.done = True
            operation.response.Pack(response)
        self.operations[operation.name] = operation
        return operation
