"""What is kept of a long text: its beginning and its reasons, bounded, and no piece of a secret."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stewardd.excerpt import Excerpt, excerpt

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
