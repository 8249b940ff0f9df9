"""A quarantine of five million rows (in full; a sample in `make test`) is read in bounded memory."""

from pathlib import Path

import pytest
from steward.v1 import quarantine_pb2 as q

from tests.acceptance.conftest import LANGUAGE
from tests.support.calls import upload, validate
from tests.support.campaigns import FULL
from tests.support.daemon import Daemon
from tests.support.quarantine import OPEN, quarantine

ROWS = 5_000_000 if FULL else 150_000
MOST_BYTES = 64 << 20


def resident_bytes(daemon):
    status = Path(f"/proc/{daemon.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


@pytest.mark.campaign
@pytest.mark.timeout(1800)
def test_pages_rows_and_counts_of_a_huge_quarantine_take_little_memory(folder):
    config = folder / "stewardd.toml"
    config.write_text('[postgres.databases.away]\nurl = "postgresql://nobody@127.0.0.1:1/away"\n')
    daemon = Daemon(folder / "data", "--config", str(config)).start()
    try:
        body = LANGUAGE + b"S,ana@example.org,bo@example.org,2025-03-01,1.7\n" * ROWS
        name = validate(daemon.address, upload(body), timeout_s=600).name
        daemon.stop()
        daemon.start()  # what the upload took is not what reading takes
        with quarantine(daemon.address) as service:
            service.batches()
            before = resident_bytes(daemon)
            request = q.ListQuarantinedRowsRequest(parent=name, page_size=50)
            assert len(service.stub.ListQuarantinedRows(request).rows) == 50
            for number in (1, ROWS // 3, ROWS):
                assert service.row(name, number).row_number == number
            service.correct(name, ROWS - 1, rating="0.5")
            stats = service.stub.GetQuarantineStats(q.GetQuarantineStatsRequest(parent=name))
            assert (stats.open_rows, stats.resolved_rows) == (ROWS - 1, 1)
            assert service.rows(name, keyword="format", state=OPEN) == []
            grown = resident_bytes(daemon) - before
        assert grown < MOST_BYTES, f"{grown >> 20} MiB"
    finally:
        daemon.stop()
