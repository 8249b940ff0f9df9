"""Holds the peers' verdicts to ours: how many rows each should find bad, given what it overlooks.

It is read from our quarantine: a row counts unless the peer overlooks every error of it.
"""

import json
import shutil
from collections import Counter
from pathlib import Path

from benchmarks.contestants import OURS, Contestant, Error
from benchmarks.meter import Command, measure


class Verdicts:
    """What we found in a file: how many rows break the same rules by the same values."""

    def __init__(self, records: Path) -> None:
        self._rows: Counter[frozenset[Error]] = Counter()
        with records.open("rb") as lines:
            for line in lines:
                errors = json.loads(line)["errors"]
                self._rows[frozenset((it["field"], it["value"]) for it in errors)] += 1

    def expected(self, peer: Contestant) -> int:
        """Return how many rows the peer should find bad."""
        return sum(
            rows
            for errors, rows in self._rows.items()
            if not all(peer.overlooks(error) for error in errors)
        )


def verdicts(path: Path, core: int, scratch: Path) -> Verdicts:
    """Make our quarantine of a file once more, and read what we found."""
    out = scratch / "verdicts"
    out.mkdir()
    try:
        measure(Command(OURS.command(path, out), (core,)))
        return Verdicts(out / "batch" / "records.jsonl")
    finally:
        shutil.rmtree(out)
