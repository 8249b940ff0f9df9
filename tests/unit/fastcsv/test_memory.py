"""What the engine holds in memory: as much for any input, however little of that comes to much."""

from __future__ import annotations

import subprocess
import sys

import pytest

BOMB = """
import gzip, resource, sys, tempfile
from pathlib import Path
import fastcsv

schema = fastcsv.Schema(b'{"properties": {"a": {"enum": ["no cell is this"]}}}', name="a", version="1.0")
# The header's block is read by one thread anyway: the bomb comes behind it.
padding = gzip.compress(b"y" * 299_999 + b"\\n", 0)
bomb = gzip.compress(b"a\\n") + padding + gzip.compress(b"x\\n" * 30_000_000) + padding * 3
status = Path("/proc/self/status").read_text()
size_kib = int(status.partition("VmSize:")[2].split()[0])
bound = 1024 * size_kib + (768 << 20)
resource.setrlimit(resource.RLIMIT_AS, (bound, bound))
options = fastcsv.Options(threads=2, max_output_bytes=32 << 20)
with tempfile.TemporaryDirectory() as folder:
    Path(folder, "in.csv.gz").write_bytes(bomb)
    fed = fastcsv.Validator(
        [schema], f"{folder}/fed", quarantined_at="2026-01-01T00:00:00Z", options=options
    )
    for work in (
        lambda: fed.feed(bomb),
        lambda: fastcsv.validate_file(schema, f"{folder}/in.csv.gz", f"{folder}/out", options=options),
    ):
        try:
            work()
        except fastcsv.LimitError as error:
            print(error.reason)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the bound on memory holds on Linux")
def test_what_is_compressed_costs_no_memory_on_several_threads_either() -> None:
    done = subprocess.run(
        [sys.executable, "-c", BOMB], stdout=subprocess.PIPE, text=True, check=True
    )
    assert done.stdout.split() == ["OUTPUT_TOO_LARGE"] * 2


SMALL = """
import gzip, sys, tempfile
from pathlib import Path
import fastcsv

MUCH = {
    "rows of two bytes": b"a\\n" + b"x\\n" * 2_000_000,
    "a column with a long name": b"b" * 60_000 + b",a\\n" + b"x\\n" * 3_000,
    "rows of which half are wrong": b"a\\n" + (b"ok\\n" + b"y" * 300 + b"\\n") * 200_000,
    "a header that does not end": gzip.compress(b'"a' + b"\\n" * 100_000_000),
}
schema = fastcsv.Schema(
    b'{"properties": {"a": {"enum": ["ok"]}}, "additionalProperties": {}}', name="a", version="1.0"
)

def peak_kib():
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])

with tempfile.TemporaryDirectory() as folder:
    file = Path(folder, "in.csv")
    file.write_bytes(MUCH[sys.argv[1]])
    MUCH.clear()
    Path("/proc/self/clear_refs").write_text("5")
    before = peak_kib()
    options = fastcsv.Options(threads=int(sys.argv[2]), max_expansion=1_000_000)
    try:
        report = fastcsv.validate_file(schema, file, f"{folder}/out", options=options)
        print(report.quarantined_rows, peak_kib() - before)
    except fastcsv.LimitError as error:
        print(error.reason, peak_kib() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells the peak and lets it be reset")
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    ("much", "told"),
    [
        ("rows of two bytes", "2000000"),
        ("a column with a long name", "3000"),
        ("rows of which half are wrong", "200000"),
        ("a header that does not end", "HEADER_TOO_LONG"),
    ],
)
def test_no_input_costs_more_than_32_mib(much: str, told: str, threads: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SMALL, much, str(threads)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    said, grown_kib = done.stdout.split()
    assert said == told
    assert int(grown_kib) < 32 << 10
