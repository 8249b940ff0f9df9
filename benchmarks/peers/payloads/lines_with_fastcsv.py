"""Ours, as a program: `lines_with_fastcsv.py SCHEMA LINES OUT`: a whole batch of JSON Lines, synced to the disk.

Nothing is imported that the work does not need: its start counts.
"""

import io
import sys

import fastcsv


def main(document: str, path: str, out: str) -> None:
    """Validate the file and print what came of it."""
    with io.FileIO(document) as file:
        schema = fastcsv.PayloadSchema(file.read(), name="payload", version="1.0")
    report = fastcsv.validate_payload_file(schema, path, out)
    print(f'{{"payloads": {report.total_rows}, "quarantined": {report.quarantined_rows}}}')


main(*sys.argv[1:])
