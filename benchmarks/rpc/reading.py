"""The first page and the stats of a quarantine of five million rows, beside those of an empty one.

The rows are short, so that it is their number that is measured. The daemon is a fresh one when it reads: what an upload
took is not what reading takes.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import grpc
from steward.v1 import quarantine_pb2 as q
from steward.v1 import quarantine_pb2_grpc
from steward_client import Client

from benchmarks.rpc.servers import peak_bytes, served

HEADER = b"session_id,participant_email,volunteer_email,scheduled_at,rating\n"
GOOD = b"s-1,ana@example.org,bo@example.org,2025-03-01,0.7\n"
BAD = b"s-1,ana@example.org,bo@example.org,2025-03-01,1.7\n"
BLOCK_ROWS = 100_000
PAGE_ROWS = 50
CALLS = 50


@dataclass(frozen=True, slots=True)
class Reading:
    """Medians, in seconds; `grown_bytes` is the peak of the daemon's memory over what it had before it read."""

    rows: int
    empty_page_s: float
    first_page_s: float
    stats_s: float
    grown_bytes: int


def write_files(folder: Path, rows: int) -> tuple[Path, Path]:
    """Write a file without a bad row, and one of nothing else."""
    good, bad = folder / "good.csv", folder / "bad.csv"
    good.write_bytes(HEADER + GOOD)
    with bad.open("wb") as file:
        file.write(HEADER)
        for first in range(0, rows, BLOCK_ROWS):
            file.write(BAD * min(BLOCK_ROWS, rows - first))
    return good, bad


def medianly_s(call: Callable[[], object]) -> float:
    """Return the median of some calls, the first of which does not count."""
    seconds = []
    call()
    for _ in range(CALLS):
        began_s = time.monotonic()
        call()
        seconds.append(time.monotonic() - began_s)
    return median(seconds)


def reading(folder: Path, rows: int) -> Reading:
    """Validate both files, and read what is in quarantine."""
    with served(folder) as (_, address), Client(address) as client:
        empty, huge = (client.validate_file(path).name for path in write_files(folder, rows))
    with served(folder) as (process, address), grpc.insecure_channel(address) as channel:
        service = quarantine_pb2_grpc.QuarantineServiceStub(channel)

        def page(batch: str) -> q.ListQuarantinedRowsResponse:
            asked = q.ListQuarantinedRowsRequest(parent=batch, page_size=PAGE_ROWS)
            answer: q.ListQuarantinedRowsResponse = service.ListQuarantinedRows(asked)
            return answer

        empty_page_s = medianly_s(lambda: page(empty))
        before_bytes = peak_bytes(process, reset=True)
        first_page_s = medianly_s(lambda: page(huge))
        began_s = time.monotonic()
        stats = service.GetQuarantineStats(q.GetQuarantineStatsRequest(parent=huge, top_values=5))
        stats_s = time.monotonic() - began_s
        if len(page(huge).rows) != PAGE_ROWS or page(empty).rows or stats.open_rows != rows:
            raise RuntimeError("the quarantine is not what was put into it")
        grown_bytes = peak_bytes(process) - before_bytes
    return Reading(rows, empty_page_s, first_page_s, stats_s, grown_bytes)
