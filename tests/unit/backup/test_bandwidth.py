"""The bucket lets no more through than its rate, over any stretch of time, and wastes nothing of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stewardd.backup.making.bandwidth import TokenBucket, paced_segment_bytes

TAKES = st.lists(st.tuples(st.floats(0, 30), st.integers(0, 10_000)), min_size=1, max_size=30)


@given(st.integers(1, 1000), TAKES)
def test_what_went_out_between_any_two_moments_is_bounded_by_the_rate(rate, takes):
    """`takes` are pauses and sizes, of a caller that waits as it is told before it takes again."""
    bucket, now_s, gone_out = TokenBucket(rate, 0.0), 0.0, []
    for pause_s, size_bytes in takes:
        now_s += pause_s
        now_s += bucket.take(size_bytes, now_s)
        gone_out.append((now_s, size_bytes))
    for first, (began_s, first_bytes) in enumerate(gone_out):
        total_bytes = -first_bytes  # of the first it is not known how long it was under way
        for ended_s, size_bytes in gone_out[first:]:
            total_bytes += size_bytes
            assert total_bytes <= rate * (ended_s - began_s) + rate * 1.0 + 0.01
    assert sum(size for _, size in gone_out) <= rate * now_s + 0.01


def test_two_who_take_at_the_same_time_wait_for_each_other():
    bucket = TokenBucket(100, 0.0)
    assert [bucket.take(200, 0.0), bucket.take(100, 0.0)] == [2.0, 3.0]
    assert bucket.take(0, 3.0) == 0.0


def test_only_a_second_is_saved_up():
    bucket = TokenBucket(100, 0.0)
    assert bucket.take(100, 60.0) == 0.0
    assert bucket.take(100, 60.0) == 1.0


@pytest.mark.parametrize(
    ("segment_bytes", "rate", "paced_bytes"),
    [
        (32 << 20, 0, 32 << 20),
        (32 << 20, 1 << 30, 32 << 20),
        (32 << 20, 2 << 20, 8 << 20),
        (32 << 20, 1 << 16, 1 << 20),
        (1 << 18, 1 << 16, 1 << 18),
    ],
)
def test_segments_are_small_under_a_small_rate(segment_bytes, rate, paced_bytes):
    assert paced_segment_bytes(segment_bytes, rate) == paced_bytes
