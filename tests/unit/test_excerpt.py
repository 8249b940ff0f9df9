"""What is kept of a long text: its beginning and its reasons, bounded, and no piece of a secret."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stewardd.excerpt import TRANSCRIPT_LIMIT, Excerpt, Transcript, excerpt

NAMES = ", ".join(f"public.a_table_for_month_{n}" for n in range(2000))


def test_a_short_text_is_kept_whole_on_one_line():
    assert excerpt("pg_dump: error:  no\n\tmore\n") == "pg_dump: error: no more"
    assert excerpt("") == ""
    assert excerpt("\n \n") == ""


@pytest.mark.parametrize("before", [0, 1, 500])
@pytest.mark.parametrize("after", [0, 1, 500])
def test_the_reason_is_kept_wherever_it_stands(before, after):
    text = "begun\n" + "warning\n" * before + "x: error: no right\n" + f"detail: {NAMES}\n" * after
    said = excerpt(text)
    assert "x: error: no right" in said
    assert said.startswith("begun")
    assert len(said) <= 600


def test_of_a_long_line_the_beginning_is_kept_and_its_end():
    said = excerpt(f"error: cannot lock {NAMES} in time")
    assert said.startswith("error: cannot lock public.a_table_for_month_0")
    assert said.endswith("in time")
    assert "…" in said


def test_a_secret_is_masked_also_where_the_text_is_cut():
    secret = "rote-kirsche"
    for padding in range(560, 620):
        said = excerpt("error: " + "x" * padding + secret + "y" * 500, secrets=[secret])
        assert "kirs" not in said
        assert "rote" not in said


@pytest.mark.parametrize("place", range(16 * 1024 - 14, 16 * 1024 + 2))
def test_a_secret_is_masked_also_where_a_line_is_longer_than_what_is_read_of_it(place):
    said = excerpt(
        "error:".ljust(place) + "rote-kirsche".ljust(30_000) + "end", secrets=["rote-kirsche"]
    )
    assert "kirs" not in said
    assert "rote" not in said
    assert said.endswith("end")


@given(st.lists(st.binary(max_size=3000), max_size=30), st.integers(60, 700))
def test_neither_the_text_nor_its_pieces_make_it_longer_than_its_limit(pieces, limit):
    whole, apart = Excerpt(), Excerpt()
    whole.feed(b"".join(pieces))
    for piece in pieces:
        apart.feed(piece)
    assert whole.text(limit) == apart.text(limit)
    assert len(whole.text(limit)) <= limit


def transcript(text: str, secrets: tuple[str, ...] = ()) -> str:
    found = Transcript(secrets)
    for start in range(0, len(text), 37):
        found.feed(text[start : start + 37].encode())
    return found.whole()


@given(st.lists(st.text("abc:  é", min_size=1), max_size=40))
def test_a_transcript_has_every_line_of_a_text_that_fits(lines):
    kept = [line.rstrip() for line in lines if line.strip()]
    assert transcript("\n".join(lines)).split("\n") == (kept or [""])


@pytest.mark.parametrize("before", [0, 3, 3000])
@pytest.mark.parametrize("after", [0, 3, 3000])
def test_a_long_transcript_keeps_its_beginning_its_reasons_and_its_end(before, after):
    warnings = [f"pg_dump: warning: of table {number}" for number in range(before)]
    details = [f"pg_dump: detail: line {number}" for number in range(after)]
    reason = "pg_dump: error: query failed: ERROR: no such table"
    lines = [*warnings, reason, f"pg_dump: detail: LOCK TABLE {NAMES}", *details]
    said = transcript("\n".join(lines))
    assert len(said) <= TRANSCRIPT_LIMIT
    found = said.split("\n")
    assert found[0] == lines[0]
    assert reason in found
    assert found[-1] == lines[-1] or found[-1].endswith(lines[-1][-20:])
    left_out = sum(int(line.split()[1]) for line in found if line.startswith("… "))
    gaps = sum(line.startswith("… ") for line in found)
    assert len(found) - gaps + left_out == len(lines)


def test_a_transcript_shows_no_secret():
    assert "hunter2" not in transcript("x\n" + "hunter2 " * 5000, ("hunter2",))
