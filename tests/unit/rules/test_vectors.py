"""The shared vectors through the compiled module: every cell fails the keywords that its file says.

The same files run through the Rust core in fastcsv/tests/vectors.rs; here they take the whole way, from a
CSV file to the quarantine.
"""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

import fastcsv

FILES = sorted((Path(__file__).parents[2] / "vectors" / "rules").glob("*.json"))


def text_of(cell: Any) -> str:
    """A cell is text, or ``{"repeat": [[text, times], …]}`` where it would be too long to write."""
    if isinstance(cell, str):
        return cell
    return "".join(text * times for text, times in cell["repeat"])


def verdicts(schema: object, cells: list[str], folder: Path) -> list[list[str]]:
    """The keywords that each cell fails in a required column of that schema, sorted."""
    document = {"properties": {"row": True, "cell": schema}, "required": ["cell"]}
    compiled = fastcsv.Schema(json.dumps(document), name="vectors", version="1.0")
    path = folder / "cells.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["row", "cell"])
        writer.writerows(enumerate(cells, start=1))
    report = fastcsv.validate_file(compiled, path, folder / "out")
    assert report.total_rows == len(cells)
    failing: dict[int, list[str]] = defaultdict(list)
    for line in (folder / "out" / "records.jsonl").read_text("utf-8").splitlines():
        record = json.loads(line)
        failing[record["rowNumber"]] = sorted(error["keyword"] for error in record["errors"])
    assert report.quarantined_rows == len(failing)
    return [failing[number] for number in range(1, len(cells) + 1)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_cell_fails_what_the_vectors_say(path: Path, tmp_path: Path) -> None:
    vectors = json.loads(path.read_text("utf-8"))
    valid: dict[str, list[str]] = {text_of(cell): [] for cell in vectors["valid"]}
    invalid = {text_of(case["cell"]): sorted(case["keywords"]) for case in vectors["invalid"]}
    wanted = valid | invalid
    found = verdicts(vectors["schema"], list(wanted), tmp_path)
    assert dict(zip(wanted, found, strict=True)) == wanted


def test_there_are_vectors() -> None:
    assert len(FILES) >= 19
