"""Two daemons that rewrite one batch over and over, while its rows are read, corrected, exported and downloaded.

Whatever meets a rewriting midway begins anew by itself. What may come of a call is its answer, or the one error that a
caller can understand: the row is closed or purged by now, somebody else was faster, or a stream that had handed out
bytes cannot go on (BATCH_REWRITTEN). Nothing may be missing, and nothing is called corrupt.
"""

import csv
import io
import os
import random
import threading
import time

import grpc
import pytest
from google.longrunning import operations_pb2, operations_pb2_grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from steward.v1 import quarantine_pb2 as q
from steward.v1 import validation_pb2 as v
from steward.v1 import validation_pb2_grpc

from tests.acceptance.conftest import NO_DATABASE
from tests.support.calls import upload, validate
from tests.support.campaigns import FULL
from tests.support.daemon import Daemon
from tests.support.quarantine import DISCARDED, OPEN, RESOLVED, quarantine

SECONDS = 120 if FULL else 8
ROWS = 1_000
HEADER = b"session_id,participant_email,volunteer_email,scheduled_at,rating\n"
ALLOWED = {
    "ROW_CLOSED",
    "ROW_PURGED",
    "ROW_CHANGED",
    "BATCH_REWRITTEN",
    "NOTHING_TO_EXPORT",
    "EXPORT_PURGED",
}
CSV = q.ExportQuarantineRequest.FORMAT_CSV
SHEET = q.ExportQuarantineRequest.FORMAT_SHEET
JSON = q.ExportQuarantineRequest.FORMAT_JSON


def reason_of(error):
    """The stable reason of a refused call."""
    for detail in rpc_status.from_call(error).details:
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            return info.reason
    return ""


def _bad(rng):
    """The number of a row that was quarantined."""
    return 10 * rng.randrange(ROWS // 10) + rng.randrange(1, 10)


class Pair:
    """One batch, on two daemons; every deed is done at either."""

    def __init__(self, batch):
        self.batch = batch
        self.done = {}
        self.wrong = []
        self.corrected = set()
        self.lock = threading.Lock()
        self.until = time.monotonic() + SECONDS

    def work(self, service, deed, seed):
        rng = random.Random(seed)
        while time.monotonic() < self.until and not self.wrong:
            try:
                deed(service, rng)
                self.note(deed.__name__)
            except grpc.RpcError as error:
                reason = reason_of(error)
                self.note(f"{deed.__name__} {reason}")
                if reason not in ALLOWED:
                    self.wrong.append(f"{deed.__name__}: {reason}: {error.details()}")
            except AssertionError as error:
                self.wrong.append(f"{deed.__name__}: {error}")

    def note(self, what):
        with self.lock:
            self.done[what] = self.done.get(what, 0) + 1

    def _operation(self, service, operation, message):
        stub = operations_pb2_grpc.OperationsStub(service._channel)
        while not operation.done:
            request = operations_pb2.WaitOperationRequest(
                name=operation.name, timeout=Duration(seconds=30)
            )
            operation = stub.WaitOperation(request, timeout=60)
        if operation.HasField("error"):
            info = error_details_pb2.ErrorInfo()
            reasons = [info.reason for each in operation.error.details if each.Unpack(info)]
            if reasons[:1] and reasons[0] in ALLOWED:
                self.note(f"operation {reasons[0]}")
                return
            raise AssertionError(f"{reasons} {operation.error.message}")
        assert operation.response.Unpack(message)

    def purge(self, service, rng):
        before = Timestamp()
        before.GetCurrentTime()
        states = rng.choice([[], [RESOLVED], [DISCARDED]])
        request = q.PurgeQuarantineRequest(
            parent=self.batch, before=before, states=states, archive=rng.random() < 0.5
        )
        self._operation(
            service, service.stub.PurgeQuarantine(request, timeout=60), q.PurgeQuarantineResponse()
        )

    def erase(self, service, rng):
        request = q.EraseSubjectRequest(email=f"ana{rng.randrange(ROWS)}@example.org")
        self._operation(
            service, service.stub.EraseSubject(request, timeout=60), q.EraseSubjectResponse()
        )

    def retry(self, service, rng):
        request = q.RetryQuarantineRequest(parent=self.batch)
        self._operation(
            service, service.stub.RetryQuarantine(request, timeout=60), q.RetryQuarantineResponse()
        )

    def correct(self, service, rng):
        number = _bad(rng)
        row = service.correct(self.batch, number, rating="0.5")
        assert row.state == RESOLVED
        with self.lock:
            self.corrected.add(number)

    def discard(self, service, rng):
        service.discard(self.batch, _bad(rng))

    def resubmit(self, service, rng):
        table = list(csv.DictReader(io.StringIO(service.sheet(self.batch).decode("utf-8-sig"))))
        some = rng.sample(table, min(len(table), 20))
        if some:
            out = io.StringIO()
            sheet = csv.DictWriter(out, list(some[0]))
            sheet.writeheader()
            sheet.writerows({**row, "rating": "0.25"} for row in some)
            service.resubmit(out.getvalue().encode())

    def export(self, service, rng):
        if rng.random() < 0.5:
            service.export(self.batch, CSV, include_valid=True, original_order=True)
        else:
            service.export(self.batch, JSON, state=rng.choice([OPEN, RESOLVED]))

    def list(self, service, rng):
        service.rows(self.batch, page_size=500, state=rng.choice([0, OPEN, RESOLVED]))
        service.row(self.batch, _bad(rng))

    def lost(self, service):
        """The corrections that were answered and that the batch does not know of; none of them may be open again."""
        still_open = {row.row_number for row in service.rows(self.batch, state=OPEN)}
        return sorted(self.corrected & still_open)

    def stats(self, service, rng):
        stats = service.stub.GetQuarantineStats(
            q.GetQuarantineStatsRequest(parent=self.batch, top_values=5), timeout=60
        )
        assert (
            stats.quarantined_rows == stats.open_rows + stats.resolved_rows + stats.discarded_rows
        )
        service.batch(self.batch)

    def download(self, service, rng):
        stub = validation_pb2_grpc.ValidationServiceStub(service._channel)
        name = rng.choice(["records.jsonl", "errors.csv", "valid.csv", "report.json"])
        request = v.DownloadBatchFileRequest(name=f"{self.batch}/files/{name}")
        assert sum(len(each.data) for each in stub.DownloadBatchFile(request, timeout=60))


OTHERS = [
    "purge",
    "erase",
    "correct",
    "discard",
    "resubmit",
    "retry",
    "export",
    "list",
    "stats",
    "download",
]


@pytest.mark.campaign
def test_rewritings_of_one_batch_at_two_daemons_meet_every_reader_and_writer(folder):
    shared = {**NO_DATABASE, "STEWARDD_REPOSITORY__URL": str(folder / "repository")}
    body = HEADER + b"".join(
        b"S%d,ana%d@example.org,bo@example.org,2025-03-01,%s\n"
        % (n, n, b"1.7" if n % 10 else b"0.7")
        for n in range(1, ROWS + 1)
    )
    seed = int(os.environ.get("STEWARD_TEST_SEED", "7"))
    with (
        Daemon(folder / "one", environment=shared) as one,
        Daemon(folder / "two", environment=shared) as two,
        quarantine(one.address) as first,
        quarantine(two.address) as second,
    ):
        batch = validate(
            one.address,
            upload(body, schema="schemas/language_session", options={"keep_valid_rows": True}),
        ).name
        pair = Pair(batch)
        deeds = [(first, "purge"), (second, "purge"), (first, "erase"), (second, "erase")]
        deeds += [((first, second)[place % 2], deed) for place, deed in enumerate(OTHERS)]
        deeds += [((second, first)[place % 2], deed) for place, deed in enumerate(OTHERS)]
        workers = [
            threading.Thread(
                target=pair.work, args=(service, getattr(pair, deed), f"{seed} {place}")
            )
            for place, (service, deed) in enumerate(deeds)
        ]
        for each in workers:
            each.start()
        for each in workers:
            each.join()
        assert not pair.wrong
        assert {"purge", "correct", "export", "list", "download"} <= set(pair.done), pair.done
        assert first.batch(batch) == second.batch(batch)
        assert pair.lost(first) == []
