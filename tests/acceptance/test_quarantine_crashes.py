"""A daemon that is killed while rows are corrected, resubmitted, exported and purged: no row is lost or in two states.

Moments are random but seeded; `make test` runs a sample, `make test-full` all hundred.
"""

import csv
import io
import random
import threading
import time
from contextlib import suppress

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from steward.v1 import quarantine_pb2 as q
from steward.v1 import validation_pb2 as v

from tests.acceptance.conftest import LANGUAGE, rows
from tests.support.calls import crc32c, download, upload, validate
from tests.support.campaigns import FULL
from tests.support.daemon import Daemon
from tests.support.quarantine import DISCARDED, OPEN, RESOLVED, quarantine

KILLS = 100 if FULL else 4
ROWS = 24_000
BAD = list(range(4, ROWS + 1, 4))
CSV = q.ExportQuarantineRequest.FORMAT_CSV
CURSOR = "importer"


class Campaign:
    """One batch, and what is known of it from the answers that came."""

    def __init__(self, daemon, rng):
        self.daemon = daemon
        self.rng = random.Random(rng.random())  # the worker's own: it draws as often as it comes to
        body = LANGUAGE + rows(ROWS, bad_every=4)
        self.batch = validate(
            daemon.address, upload(body, options=v.ValidateOptions(keep_valid_rows=True))
        ).name
        self.resolved: set[int] = set()  # acknowledged
        self.discarded: set[int] = set()
        self.exported: list[int] = []
        self.downloaded: set[str] = set()
        self.sheets: list[set[int]] = []
        self.done = 0

    def work(self, service):
        """Does random things until the daemon dies."""
        with suppress(grpc.RpcError):
            while True:
                doing = self.rng.choice([self.correct, self.resubmit, self.resubmit, self.purge])
                doing(service)
                self.done += 1

    def correct(self, service):
        page = service.stub.ListQuarantinedRows(
            q.ListQuarantinedRowsRequest(parent=self.batch, state=OPEN, page_size=20), timeout=30
        )
        for row in page.rows[:10]:
            service.correct(self.batch, row.row_number, rating="0.5")
            self.resolved.add(row.row_number)
        for row in page.rows[10:12]:
            service.discard(self.batch, row.row_number)
            self.discarded.add(row.row_number)

    def resubmit(self, service):
        text = service.sheet(self.batch).decode("utf-8-sig")
        table = list(csv.DictReader(io.StringIO(text, newline="")))
        some = table[: self.rng.randrange(1, 400)]
        if not some:
            return
        self.sheets.append({int(row["Row Number"]) for row in some})
        out = io.StringIO()
        writer = csv.DictWriter(out, list(some[0]))
        writer.writeheader()
        writer.writerows({**row, "rating": "0.25"} for row in some)
        answer = service.resubmit(out.getvalue().encode())
        assert answer.resolved_rows == len(some)
        self.resolved |= self.sheets[-1]

    def purge(self, service):
        self.export(service)
        before = Timestamp()
        before.GetCurrentTime()
        request = q.PurgeQuarantineRequest(parent=self.batch, before=before, archive=True)
        service.operation(service.stub.PurgeQuarantine(request), q.PurgeQuarantineResponse())

    def export(self, service):
        """Makes an export, and downloads it and any that the dead left undownloaded."""
        request = q.CreateExportRequest(parent=self.batch, cursor=CURSOR, include_valid=False)
        with suppress(grpc.RpcError):
            service.stub.CreateExport(request, timeout=30)
        listed = service.stub.ListExports(
            q.ListExportsRequest(parent=self.batch, page_size=1000), timeout=30
        )
        for export in listed.exports:
            if export.name not in self.downloaded:
                body = service.export(export.name, CSV).decode()
                found = [int(row["session_id"][1:]) for row in csv.DictReader(io.StringIO(body))]
                assert len(found) == export.resolved_rows
                self.exported += found
                self.downloaded.add(export.name)

    def check(self, service):
        """What must hold at any moment."""
        batch = service.batch(self.batch)
        by_state = {
            state: {r.row_number for r in service.rows(self.batch, 1000, state=state)}
            for state in (OPEN, RESOLVED, DISCARDED)
        }
        assert len(by_state[OPEN]) == batch.open_rows
        assert not by_state[OPEN] & (self.resolved | self.discarded)
        assert not by_state[RESOLVED] & by_state[DISCARDED]
        assert not by_state[RESOLVED] & self.discarded
        assert set().union(*by_state.values()) <= set(BAD)
        gone = len(BAD) - sum(map(len, by_state.values()))
        closed = batch.resolved_rows + batch.discarded_rows
        assert gone == closed - len(by_state[RESOLVED]) - len(by_state[DISCARDED])
        for sheet in self.sheets:
            assert not sheet & by_state[OPEN] or sheet <= by_state[OPEN], "half a sheet"
        self.sheets.clear()
        self.export(service)
        assert len(self.exported) == len(set(self.exported)), "a row is in two exports"
        assert len(self.exported) == batch.resolved_rows
        assert set(self.exported) >= self.resolved
        for file in batch.files:
            body = download(self.daemon.address, self.batch, file.name.rpartition("/")[2])
            assert (len(body), crc32c(body)) == (file.size_bytes, file.crc32c)

    def folders(self, kind):
        root = self.daemon.data_dir / "repository" / "batches"
        (batch,) = root.glob(f"*/{self.batch.removeprefix('batches/')}")
        return {path.name for path in batch.glob(f"{kind}/*/*")}, batch


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_a_daemon_killed_at_random_moments_leaves_each_row_in_one_state(folder):
    rng = random.Random(5)
    # No database of its own to start a hundred times: the quarantine needs none.
    config = folder / "stewardd.toml"
    config.write_text('[postgres.databases.away]\nurl = "postgresql://nobody@127.0.0.1:1/away"\n')
    daemon = Daemon(folder / "data", "--config", str(config)).start()
    try:
        campaign = Campaign(daemon, rng)
        with quarantine(daemon.address) as service:
            began_s = time.monotonic()
            campaign.correct(service)
        # A busy machine does less in the same time, and a daemon that does nothing is killed for nothing.
        slowness = max(1.0, (time.monotonic() - began_s) / 0.25)
        for _ in range(KILLS):
            with quarantine(daemon.address) as service:
                worker = threading.Thread(target=campaign.work, args=(service,))
                worker.start()
                time.sleep(rng.uniform(0.1, 1.5) * slowness)
                daemon.kill()
                worker.join(60)
            daemon.start()
            with quarantine(daemon.address) as service:
                campaign.check(service)
            # What no commit names was swept at the start, under the dead writer's intents.
            staged, batch = campaign.folders("changes")
            log = b"".join(path.read_bytes() for path in batch.glob("log/*"))
            assert all(name.encode() in log for name in staged)
        assert campaign.done > KILLS // 4, "the daemon never came to do anything"
    finally:
        daemon.stop()
