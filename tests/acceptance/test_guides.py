"""docs/guides/spreadsheet.md, executed as it stands there, in a folder of its own."""

import csv
import io
import re
import shutil
from pathlib import Path

import pytest

from tests.support.guides import DOCS, Walk, shown

ROOT = Path(__file__).parents[2]
PAGE = "guides/spreadsheet.md"
SAMPLE = "language_session_1.1.csv"


def records(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


@pytest.fixture(scope="module")
def walked(session_folder):
    walk = Walk(session_folder / "guide")
    walk.folder.mkdir()
    shutil.copy(ROOT / "examples" / SAMPLE, walk.folder)
    try:
        walk.start()
        yield walk.through(PAGE)
    finally:
        walk.close()


def test_the_sheet_came_back_as_a_spreadsheet_writes_it_and_its_rows_moved_once(walked):
    dry, first, again = walked.output("steward quarantine resubmit rows.csv")
    assert "nothing is changed; of 6 rows" in dry
    assert re.search(r"resolved +4\b", first)
    assert re.search(r"still invalid +2\b", first)
    assert re.search(r"resolved +0\b", again)
    assert re.search(r"left as they were +6\b", again)


def test_what_is_printed_in_the_guide_is_what_is_printed(walked):
    printed = walked.output("steward quarantine show batches/… --field rating")[0]
    (block,) = shown((DOCS / PAGE).read_text())
    assert set(block.splitlines()) <= set(printed.splitlines())


def test_the_history_says_who_did_what(walked):
    (row,) = walked.output("steward quarantine show batches/… 908")
    assert re.search(r"mia +resubmit +resolved +1 .* rating: 1.7 → 1.00", row)


def test_every_good_row_came_once_and_in_the_order_of_the_file(walked):
    folder = walked.folder
    sample = (folder / SAMPLE).read_bytes()
    valid = [row["session_id"] for row in records((folder / "valid.csv").read_bytes())]
    first = [row["session_id"] for row in records((folder / "imported-1.csv").read_bytes())]
    second = [row["session_id"] for row in records((folder / "imported-2.csv").read_bytes())]
    assert len(first) == len(valid) + 5
    assert len(second) == 1
    assert set(valid) <= set(first)
    assert not set(first) & set(second)
    place = 0
    for each in (
        first
    ):  # an id may stand in the file twice; ValueError where one stands in none of what is left
        place = sample.index(b"\n" + each.encode() + b",", place) + 1
    assert not (folder / "new.csv").exists()
    _, nothing, _ = walked.output("steward quarantine export batches/… --cursor")
    assert "nothing is new for importer" in nothing


def test_the_counts_add_up(walked):
    (stats,) = walked.output("steward quarantine stats")
    for word, number in (("resolved", "4"), ("discarded", "0"), ("open", "62"), ("all", "2,000")):
        assert re.search(rf"{word} +{number}\b", stats), word
