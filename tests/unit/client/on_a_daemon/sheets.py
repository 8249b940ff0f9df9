"""Sheets of a batch as somebody edits them."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from steward_client import Client


def sheet_of(client: Client, batch: str, folder: Path) -> bytes:
    """The sheet of a batch's open rows."""
    path = folder / ".sheet.csv"
    client.export_quarantine(batch, path)
    sheet = path.read_bytes()
    path.unlink()
    return sheet


def edited(sheet: bytes, ratings: Mapping[int, str]) -> bytes:
    """The rows of a sheet that are named by their numbers, each with another rating."""
    rows = list(csv.DictReader(io.StringIO(sheet.decode("utf-8-sig"), newline="")))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    for row in rows:
        number = int(row["Row Number"])
        if number in ratings:
            writer.writerow({**row, "rating": ratings[number]})
    return text.getvalue().encode()
