"""JSON that is read and written back: nothing that it means is lost, whatever stands in it."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stewardd.quarantine.files.exact_json import (
    Members,
    NotJson,
    canonical,
    one_line,
    read_json,
    write_json,
)

NUMBERS = st.from_regex(r"-?(0|[1-9][0-9]{0,40})(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)  # fmt: skip
TEXTS = st.text(st.characters(codec="utf-8"))
VALUES = st.recursive(
    st.none() | st.booleans() | TEXTS | NUMBERS.map(Decimal),
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
    max_leaves=20,
)


def written(value):
    """An independent writer: numbers as decimals write themselves."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, list):
        return f"[{', '.join(map(written, value))}]"
    if isinstance(value, dict):
        return "{ " + " ,\n".join(f"{json.dumps(k)} : {written(v)}" for k, v in value.items()) + "}"
    return json.dumps(value)


@given(VALUES)
def test_a_value_that_is_written_back_means_what_it_meant(value):
    text = written(value)
    again = write_json(read_json(text))
    assert json.loads(again, parse_float=Decimal, parse_int=Decimal) == value
    assert "\n" not in again
    assert canonical(again) == again == canonical(text)


@given(NUMBERS)
def test_a_number_keeps_its_digits(number):
    assert write_json(read_json(f"[{number}]")) == f"[{number}]"


def test_doubled_members_stay_doubled_and_in_their_order():
    assert write_json(read_json('{"b":1,"a":2,"b":3}')) == '{"b":1,"a":2,"b":3}'
    assert read_json('{"b":1,"b":3}') == Members([("b", "1"), ("b", "3")])


def test_half_of_a_surrogate_pair_stays_what_it_is():
    assert json.loads(write_json(read_json('{"\\ud800":"\\udfff"}'))) == {"\ud800": "\udfff"}


@pytest.mark.parametrize(
    "text", ["", "{", "NaN", "[-Infinity]", "{} {}", '"a\nb"', "01", "[" * 200_000 + "]" * 200_000]
)
def test_a_text_that_is_no_json_is_told_and_canonical_as_it_is(text):
    with pytest.raises(NotJson):
        read_json(text)
    assert canonical(text) == text


@given(VALUES)
def test_a_payload_in_one_line_means_the_same(value):
    text = written(value)
    assert json.loads(one_line(text)) == json.loads(text)
    assert "\n" not in one_line(text)
