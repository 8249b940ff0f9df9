"""docs/guides/database.md, executed as it stands there: with an embedded database, then with two that are away."""

import re

import pytest

from tests.support.guides import DOCS, Walk, command_lines

PAGE = "guides/database.md"


@pytest.fixture(scope="module")
def walked(session_folder):
    walk = Walk(session_folder / "guide-database")
    walk.folder.mkdir()
    walk.folder.chmod(0o711)
    try:
        walk.start()
        yield walk.through(PAGE)
    finally:
        walk.close()


def test_the_embedded_database_is_shown_with_what_the_page_explains(walked):
    alone, _several = walked.output("steward db list")
    assert re.search(r"^embedded +up +closed +primary +18\.", alone, re.MULTILINE)
    shown = walked.output("steward db show")[0]
    lines = re.findall(r"^\| `([a-z ]+)` \|", (DOCS / PAGE).read_text(), re.MULTILINE)
    for line in ("server", "breaker", "connections", "since the start"):
        assert line in lines
        assert re.search(rf"^{line} +\S", shown, re.MULTILINE), line


def test_databases_that_are_away_are_listed_as_that(walked):
    _alone, several = walked.output("steward db list")
    assert re.search(r"^main +away\b", several, re.MULTILINE)
    assert re.search(r"^reporting +away\b", several, re.MULTILINE)


def test_a_breaker_is_opened_and_reset_by_hand(walked):
    (opened,) = walked.output("steward db breaker open reporting")
    assert "databases/reporting: the breaker is forced open" in opened
    shown = walked.output("steward db show reporting")[-1]
    assert "moving to another disk" in shown
    (reset,) = walked.output("steward db breaker reset reporting")
    assert "databases/reporting: the breaker is closed" in reset
    assert " of 3 failures in a row" in reset


def test_every_command_of_the_page_was_run(walked):
    on_the_page = command_lines(PAGE)
    assert [each.line for each in walked.finished] == on_the_page
    assert len(on_the_page) == 8
