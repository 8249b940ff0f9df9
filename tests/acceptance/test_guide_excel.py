"""docs/guides/excel.md, executed as it stands there, and what its tables say of cells, held against the daemon."""

import json
import re

import pytest

from tests.support.guides import DOCS, Command, Walk, shown

PAGE = "guides/excel.md"
HEADER = "session_id,participant_email,volunteer_email,scheduled_at,duration_minutes,rating,language_level"


@pytest.fixture(scope="module")
def walked(session_folder):
    walk = Walk(session_folder / "guide-excel")
    walk.folder.mkdir()
    walk.folder.chmod(0o711)
    try:
        walk.start()
        yield walk.through(PAGE)
    finally:
        walk.close()


def validated(walked, content, exit_code=1):
    (walked.folder / "tried.csv").write_bytes(content)
    walked.run(Command("steward validate tried.csv --output json", exit_code))
    return json.loads(walked.finished[-1].stdout)["files"][0]


def row(scheduled_at="2026-03-01", duration="30", rating="0.5", level="B1"):
    return f"S1,ana@example.org,bo@example.org,{scheduled_at},{duration},{rating},{level}\n"


def test_the_rules_are_those_that_the_page_shows(walked):
    (block,) = shown((DOCS / PAGE).read_text())
    printed = [line.split() for line in walked.output("steward quarantine show")[0].splitlines()]
    for line in block.splitlines()[1:]:
        assert line.split() in [words[:6] for words in printed]


def test_utf_16_changes_nothing_and_an_old_code_page_costs_the_row_of_its_letter(walked):
    counts = [
        count
        for text in walked.output("steward validate")
        for count in re.findall(r"(\d) of 4 rows in quarantine", text)
    ]
    assert counts == ["3", "3", "4", "3"]
    (encoding,) = walked.output("steward quarantine show batches/… --keyword encoding")
    assert re.search(r"1 +2 +open +0 +_row +encoding", encoding)


@pytest.mark.parametrize(
    ("cells", "field", "rule"),
    [
        ({"rating": '"0,5"'}, "rating", "type"),
        ({"duration": '"1,234"'}, "duration_minutes", "type"),
        ({"duration": "1E+19"}, "duration_minutes", "type"),
        ({"duration": "TRUE"}, "duration_minutes", "type"),
        ({"scheduled_at": "01/03/2026"}, "scheduled_at", "anyOf"),
        ({"level": "B1 "}, "language_level", "enum"),
    ],
)
def test_what_a_spreadsheet_makes_of_a_cell_breaks_the_rule_that_the_page_names(
    walked, cells, field, rule
):
    batch = validated(walked, f"{HEADER}\n{row(**cells)}".encode())["batch"]
    assert batch["errors_by_field"] == {field: 1}
    assert batch["errors_by_keyword"] == {rule: 1}


def test_a_mark_before_the_header_and_blanks_around_its_names_do_no_harm(walked):
    header = HEADER.replace(",rating", ", rating ")
    batch = validated(walked, f"\ufeff{header}\n{row()}".encode(), 0)["batch"]
    assert batch["unknown_columns"] == []


def test_leading_zeros_need_not_be_there_for_a_column_of_plain_text(walked):
    content = f"{HEADER}\n{row()}".replace("S1,", "734,").encode()
    assert validated(walked, content, 0)["batch"]["valid_rows"] == 1


def test_rows_of_delimiters_are_quarantined(walked):
    batch = validated(walked, f"{HEADER}\n{row()},,,,,,\n".encode())["batch"]
    assert (batch["valid_rows"], batch["quarantined_rows"]) == (1, 1)
    assert set(batch["errors_by_keyword"]) == {"required"}


def test_columns_without_a_name_are_refused(walked):
    refused = validated(walked, f"{HEADER},,\n{row()}".encode(), 3)
    assert refused["error"]["reason"] == "HEADER_REFUSED"
