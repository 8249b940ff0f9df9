"""Declarations of metrics: names, buckets, and the labels' values, which are declared or refused."""

import asyncio

import pytest
from prometheus_client.parser import text_string_to_metric_families
from stewardd.metrics.catalogue import AREAS, CATALOGUE
from stewardd.metrics.exposition import Metrics
from stewardd.metrics.metric import Kind, Label, Metric
from stewardd.metrics.series import UndeclaredValue

COLOUR = Label("colour", "a colour", ("blue", "red"))
PLACE = Label("place", "a place that the vocabulary names", source="places")
SEEN = Metric("steward_seen_total", Kind.COUNTER, "Seen.", (COLOUR, PLACE))
PLAIN = Metric("steward_plain_total", Kind.COUNTER, "Plain.")
LEVEL = Metric("steward_level", Kind.GAUGE, "Level.", (COLOUR,))
TIMES = Metric("steward_time_seconds", Kind.HISTOGRAM, "Times.", (COLOUR,), (0.1, 1.0))
ALL = (SEEN, PLAIN, LEVEL, TIMES)


@pytest.fixture
def metrics():
    return Metrics(ALL, {"places": ["here", "there"]})


async def samples(metrics):
    text = (await metrics.exposition()).decode()
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_a_counter_adds_up_and_shows_every_combination_from_the_start(metrics):
    seen = metrics.counter(SEEN)
    metrics.counter(PLAIN).add(amount=2.5)
    seen.add("red", "here")
    seen.add("red", "here", amount=4)
    found = await samples(metrics)
    assert found["steward_seen_total", "here", "red"] == 5
    assert found["steward_seen_total", "blue", "there"] == 0
    assert found["steward_plain_total",] == 2.5


async def test_a_metric_of_many_combinations_shows_those_that_came(metrics):
    names = [f"method{n}" for n in range(100)]
    many = Metrics(ALL, {"places": names})
    seen = many.counter(SEEN)
    seen.add("red", "method7")
    found = await samples(many)
    assert [key for key in found if key[0] == "steward_seen_total"] == [
        ("steward_seen_total", "method7", "red")
    ]


async def test_a_histogram_counts_up_to_each_bound_and_adds_up(metrics):
    times = metrics.histogram(TIMES)
    for value in (0.05, 0.1, 0.5, 7.0):
        times.observe(value, "red")
    found = await samples(metrics)
    assert found["steward_time_seconds_bucket", "0.1", "red"] == 2
    assert found["steward_time_seconds_bucket", "1.0", "red"] == 3
    assert found["steward_time_seconds_bucket", "+Inf", "red"] == 4
    assert found["steward_time_seconds_count", "red"] == 4
    assert found["steward_time_seconds_sum", "red"] == pytest.approx(7.65)
    assert found["steward_time_seconds_count", "blue"] == 0


async def test_a_reading_is_taken_at_each_scrape(metrics):
    level = {("red",): 1.0}
    metrics.read(LEVEL, lambda: level)
    assert (await samples(metrics))["steward_level", "red"] == 1
    level["red",] = 2.0
    assert (await samples(metrics))["steward_level", "red"] == 2


async def test_a_value_that_was_not_declared_is_refused(metrics):
    seen, times = metrics.counter(SEEN), metrics.histogram(TIMES)
    with pytest.raises(UndeclaredValue, match=r"'ana@example\.org' is no declared place"):
        seen.add("red", "ana@example.org")
    with pytest.raises(UndeclaredValue, match="has 2 labels"):
        seen.add("red")
    with pytest.raises(UndeclaredValue, match="'green' is no declared colour"):
        times.observe(1.0, "green")
    metrics.read(LEVEL, lambda: {("green",): 1.0})
    with pytest.raises(UndeclaredValue, match="'green' is no declared colour"):
        await metrics.exposition()


def test_a_metric_that_is_not_in_the_catalogue_or_has_its_values_already_is_refused(metrics):
    other = Metric("steward_other_total", Kind.COUNTER, "Other.")
    with pytest.raises(ValueError, match="not in the catalogue"):
        metrics.counter(other)
    metrics.counter(PLAIN)
    with pytest.raises(ValueError, match="has its values already"):
        metrics.counter(PLAIN)


@pytest.mark.parametrize(
    ("name", "kind", "bounds"),
    [
        ("steward_seen", Kind.COUNTER, ()),
        ("steward_seen_total", Kind.GAUGE, ()),
        ("Steward", Kind.GAUGE, ()),
        ("steward__seen", Kind.GAUGE, ()),
        ("steward_time_seconds", Kind.HISTOGRAM, ()),
        ("steward_time_seconds", Kind.GAUGE, (1.0,)),
    ],
)
def test_a_declaration_that_breaks_the_conventions_is_refused(name, kind, bounds):
    with pytest.raises(ValueError, match=name):
        Metric(name, kind, "Help.", (), bounds)


def test_the_catalogue_has_each_name_once_and_says_what_everything_means():
    names = [metric.name for metric in CATALOGUE]
    assert len(names) == len(set(names))
    assert sum(map(len, AREAS.values())) == len(CATALOGUE)
    for metric in CATALOGUE:
        assert metric.name.startswith(("steward_", "process_")), metric.name
        assert metric.help.endswith("."), metric.name
        assert len({label.name for label in metric.labels}) == len(metric.labels)
        assert list(metric.bounds) == sorted(metric.bounds)


def test_metrics_have_base_units():
    scaled = (
        "_ms",
        "_milliseconds",
        "_minutes",
        "_hours",
        "_kib",
        "_mib",
        "_kilobytes",
        "_percent",
    )
    for metric in CATALOGUE:
        assert not metric.name.removesuffix("_total").endswith(scaled), metric.name


async def test_a_scrape_lets_other_work_in_between_its_metrics(metrics):
    for metric in (SEEN, PLAIN):
        metrics.counter(metric)
    metrics.histogram(TIMES)
    turns = 0

    async def other_work():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(other_work())
    await metrics.exposition()
    other.cancel()
    assert turns >= 3
