"""docs/guides/own-schema.md, executed as it stands there."""

import csv
import re

import pytest

from tests.support.guides import DOCS, Command, Walk, shown

PAGE = "guides/own-schema.md"


@pytest.fixture(scope="module")
def walked(session_folder):
    walk = Walk(session_folder / "own-schema")
    try:
        yield walk.through(PAGE)
    finally:
        walk.close()


def members(walked, name):
    with (walked.folder / name).open(newline="") as file:
        return [row["member_id"] for row in csv.DictReader(file)]


def test_the_schema_is_listed_and_the_new_version_after_a_restart_only(walked):
    before, after = walked.output("steward schema list")
    assert re.search(r"member +1\.0 +csv +2026-01-01 +5", before)
    assert not re.search(r"member +1\.1", before)
    assert re.search(r"member +1\.1 +csv +2026-03-01 +5", after)


def test_the_header_detects_the_schema(walked):
    assert "member 1.0" in walked.output("steward schema detect")[0]


def test_what_the_page_shows_is_what_is_printed(walked):
    _, columns, rows = shown((DOCS / PAGE).read_text())
    printed = {line for each in walked.finished for line in each.stdout.splitlines()}
    assert set((columns + rows).splitlines()) <= printed


def test_the_valid_rows_are_those_that_the_page_names(walked):
    assert members(walked, "valid.csv") == ["M000001", "M000002", "M000006"]


def test_personal_data_is_masked_in_statistics_and_other_values_are_not(walked):
    (stats,) = walked.output("steward quarantine stats")
    assert re.search(r"\*\*\* +email", stats)
    assert "cem.example.org" not in stats
    assert re.search(r"03/02/2026 +joined_on", stats)


def test_each_good_row_was_handed_on_once(walked):
    assert members(walked, "first.csv") == ["M000001", "M000002", "M000004", "M000006"]
    assert members(walked, "second.csv") == ["M000005"]


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("broken/1.0.json", '{"type": "object", "properties": {"a": {"type": "text"}}}'),
        ("broken/1.0.json", "{"),
        ("broken/v1.json", '{"type": "object", "properties": {"a": {}}}'),
        ("language_session/1.1.json", '{"type": "object", "properties": {"a": {}}}'),
    ],
    ids=["no schema", "no JSON", "no version", "a version that comes with steward"],
)
def test_a_file_that_is_not_right_stops_the_start_and_is_named(walked, folder, name, document):
    file = folder / "schemas" / "csv" / name
    file.parent.mkdir(parents=True)
    file.write_text(document)
    config = folder / "steward.toml"
    config.write_text(
        f'data_dir = "{folder / "data"}"\n[validation]\nschema_dirs = ["{folder / "schemas"}"]\n'
    )
    walked.run(Command(f"stewardd --config {config} --listen 127.0.0.1:0", 3))
    assert str(file) in walked.finished[-1].stderr
