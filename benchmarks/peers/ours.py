"""Ours, as a program: `ours.py CSV OUT [THREADS] [BEGIN]`: the whole quarantine is written, and synced to the disk.

BEGIN is the moment of the monotonic clock to start at, so that several start as one. Nothing is imported that the work
does not need: its start counts.
"""

import io
import os.path
import sys
import time

import fastcsv

ROOT = os.path.realpath(f"{__file__}/../../..")


def main(path: str, out: str, threads: str = "1", begin_s: str = "0") -> None:
    """Validate the file and print what came of it."""
    with io.FileIO(f"{ROOT}/schemas/csv/language_session/1.1.json") as file:
        schema = fastcsv.Schema(file.read(), name="language_session", version="1.1")
    options = fastcsv.Options(threads=int(threads))
    time.sleep(max(0.0, float(begin_s) - time.monotonic()))
    began_s = time.monotonic()
    report = fastcsv.validate_file(schema, path, out, options=options)
    elapsed_s = time.monotonic() - began_s
    print(
        f'{{"rows": {report.total_rows}, "quarantined": {report.quarantined_rows}, '
        f'"elapsed_s": {elapsed_s}}}'
    )


main(*sys.argv[1:])
