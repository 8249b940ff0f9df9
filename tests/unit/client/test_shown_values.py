"""What a person sees of a value: blanks, unseen characters and look-alikes cannot be taken for what they are not."""

from __future__ import annotations

import pytest
from steward_client.command.quarantine.table import cut
from steward_client.command.text import shown


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (" A1", '" A1"'),
        ("A1 ", '"A1 "'),
        ("   ", '"   "'),
        ("A1\xa0", '"A1\\xa0"'),
        ("A\u200b1", '"A\\u200b1"'),
        ("A1\t", '"A1\\t"'),
        ("\u04101", '"\\u04101"'),
        ("r\u0430ting", '"r\\u0430ting"'),
        ("\uff21\uff11", '"\\uff21\\uff11"'),
        ("2025\u201301\u201301", '"2025\\u201301\\u201301"'),
        ("e\u0301", '"e\\u0301"'),
        ('"A1"', '"\\"A1\\""'),
        ("\\xa0 ", '"\\\\xa0 "'),
    ],
)
def test_what_is_not_seen_or_looks_like_another_is_shown(value, wanted):
    assert shown(value) == wanted
    assert cut(value) == wanted


@pytest.mark.parametrize(
    "value",
    ["", "A1", "Ana María", "Анна", "Анна и Борис", "Ελένη", "日本語", "\\xa0", "a – b", "O'Neil"],
)
def test_what_shows_itself_is_left_as_it_is(value):
    assert shown(value) == value


def test_a_long_value_is_cut_before_it_is_shown():
    assert cut(" " + "x" * 100, 10) == '" xxxxxxxx"…'
