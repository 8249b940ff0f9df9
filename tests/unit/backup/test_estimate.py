"""How far a dump is: never less than nothing, never more than all, and all of it when all is finished."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stewardd.backup.making.estimate import TableWeight, dumped_bytes, time_left_s


@given(st.data())
def test_an_estimate_is_within_its_bounds_and_ends_at_the_whole(data):
    sizes = data.draw(st.lists(st.integers(1, 10**12), min_size=1, max_size=20))
    weights = [
        TableWeight(oid, size, data.draw(st.integers(0, 1000))) for oid, size in enumerate(sizes)
    ]
    seen = data.draw(st.lists(st.sampled_from(range(len(sizes))), unique=True))
    copied = {oid: data.draw(st.integers(0, 5000)) for oid in seen}
    running = data.draw(st.lists(st.sampled_from(seen), unique=True)) if seen else []
    finished = data.draw(st.integers(0, len(sizes) + 3))
    assert 0 <= dumped_bytes(weights, copied, running, finished) <= sum(sizes)
    assert dumped_bytes(weights, copied, [], len(sizes)) == sum(sizes)
    assert dumped_bytes(weights, {}, [], 0) == 0


def test_a_table_that_is_read_counts_by_its_rows_and_small_ones_by_their_number():
    weights = [TableWeight(1, 1000, 10), TableWeight(2, 500, 0), TableWeight(3, 10, 1)]
    weights.append(TableWeight(4, 30, 1))
    assert dumped_bytes(weights, {1: 4}, [1], 0) == 400
    assert dumped_bytes(weights, {1: 40}, [1], 0) == 1000, "the catalog may be behind"
    assert dumped_bytes(weights, {1: 4}, [], 1) == 1000
    assert dumped_bytes(weights, {2: 999}, [2], 0) == 0, "of how many rows is not known"
    assert dumped_bytes(weights, {1: 10, 2: 7}, [], 3) == 1500 + 20, "one of two small ones"


@pytest.mark.parametrize(
    ("shares", "elapsed_s", "left_s"),
    [
        ([], 100.0, None),
        ([0.0], 100.0, None),
        ([0.5], 1.0, None),
        ([0.5], 100.0, 100.0),
        ([0.25, 0.5], 10.0, 30.0),
        ([1.0], 10.0, 0.0),
        ([1.5], 10.0, 0.0),
    ],
)
def test_the_slowest_part_says_how_long_it_goes_on(shares, elapsed_s, left_s):
    assert time_left_s(shares, elapsed_s) == left_s
