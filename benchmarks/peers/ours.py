"""Ours, as a program: `ours.py CSV OUT [THREADS] [BEGIN]`: the whole quarantine is written, and synced to the disk.

BEGIN is the moment of the monotonic clock to start at, so that several start as one.
"""

import json
import sys
import time
from pathlib import Path

import fastcsv

SCHEMA = Path(__file__).resolve().parents[2] / "schemas/csv/language_session/1.1.json"


def main(path: str, out: str, threads: str = "1", begin_s: str = "0") -> None:
    """Validate the file and print what came of it."""
    schema = fastcsv.Schema(SCHEMA.read_bytes(), name="language_session", version="1.1")
    options = fastcsv.Options(threads=int(threads))
    time.sleep(max(0.0, float(begin_s) - time.monotonic()))
    began_s = time.monotonic()
    report = fastcsv.validate_file(schema, path, out, options=options)
    elapsed_s = time.monotonic() - began_s
    said = {"rows": report.total_rows, "quarantined": report.quarantined_rows}
    print(json.dumps({**said, "elapsed_s": elapsed_s}))


main(*sys.argv[1:])
