"""The commonest values, counted in bounded memory."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from stewardd.quarantine.files.records import RowViolation
from stewardd.quarantine.finding.top_values import MASK, TopValues


def violation(value, field="rating"):
    return RowViolation(field, "maximum", "too much", value)


@given(st.lists(st.integers(0, 30)))
def test_few_values_are_counted_exactly(values):
    top = TopValues(capacity=31)
    for value in values:
        top.add([violation(str(value))], is_masked=lambda _: False)
    found = top.most_common(100)
    assert {each.value: each.count for each in found} == {
        str(value): count for value, count in Counter(values).items()
    }
    assert [each.count for each in found] == sorted((e.count for e in found), reverse=True)
    assert not top.approximate


def test_many_are_counted_by_lower_bounds_and_the_commonest_survive():
    top = TopValues(capacity=100)
    for n in range(5000):
        top.add([violation(str(n)), violation("common")], is_masked=lambda _: False)
    assert top.approximate
    first = top.most_common(1)[0]
    assert first.value == "common"
    assert 4000 < first.count <= 5000
    assert len(top.most_common(10_000)) <= 100


def test_personal_values_are_not_told_apart_and_rows_without_a_value_not_counted():
    top = TopValues()
    for is_masked in (frozenset({"email"}).__contains__, lambda _: True):
        top.add([violation("a@x.org", "email"), violation("b@x.org", "email")], is_masked=is_masked)
    top.add([violation(None, "_row")], is_masked=lambda _: False)
    assert [(each.value, each.count) for each in top.most_common(9)] == [(MASK, 4)]
