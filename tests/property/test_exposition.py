"""The text of a scrape is, byte for byte, what prometheus-client makes of the same values."""

import asyncio
import math

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import generate_latest
from stewardd.metrics.exposition import Metrics
from stewardd.metrics.metric import Kind, Label, Metric

PLACE = Label("place", "a place", source="places")
COLOUR = Label("colour", "a colour", ("blue", "red"))
SEEN = Metric("steward_seen_total", Kind.COUNTER, "Seen.", (PLACE, COLOUR))
PLAIN = Metric("steward_plain_total", Kind.COUNTER, "Plain.")
LEVEL = Metric("steward_level_bytes", Kind.GAUGE, "Level.", (COLOUR, PLACE))
TIMES = Metric("steward_time_seconds", Kind.HISTOGRAM, "Times.", (PLACE,), (0.001, 1.0, 14400.0))
places = st.lists(st.text(max_size=8), min_size=1, max_size=4, unique=True)
numbers = st.one_of(
    st.integers(-(10**20), 10**20),
    st.floats(allow_nan=True),
    st.booleans(),
    st.sampled_from([999_999, 1_000_000, -1_000_000, 1e6, 1e16, 0.1, math.inf]),
)


@st.composite
def told(draw):
    """Places, and for some of them what is counted, measured and read."""
    names = draw(places)
    chosen = st.sampled_from(names)
    return (
        names,
        draw(st.lists(st.tuples(chosen, st.sampled_from(COLOUR.values), numbers), max_size=10)),
        draw(st.lists(st.tuples(chosen, st.floats(-10, 1e9)), max_size=10)),
        draw(st.dictionaries(st.tuples(st.sampled_from(COLOUR.values), chosen), numbers)),
        draw(st.lists(numbers, max_size=3)),
    )


@given(told())
def test_both_ways_to_write_the_values_agree(values):
    names, counted, measured, read, plain = values
    metrics = Metrics((SEEN, PLAIN, LEVEL, TIMES), {"places": names})
    seen, times = metrics.counter(SEEN), metrics.histogram(TIMES)
    total = metrics.counter(PLAIN)
    metrics.read(LEVEL, lambda: read)
    # Twice: the second time the beginnings of the lines are known.
    for _ in range(2):
        for place, colour, amount in counted:
            seen.add(place, colour, amount=amount)
        for place, seconds in measured:
            times.observe(seconds, place)
        for amount in plain:
            total.add(amount=amount)
        text = asyncio.run(metrics.exposition())
        assert text.endswith(generate_latest(metrics.registry))
        assert text.count(b"# TYPE steward_") == 4
