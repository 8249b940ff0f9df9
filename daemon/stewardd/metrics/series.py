"""The values of metrics: counters and histograms that are told, and readings that are taken at a scrape.

All of it runs in the event loop, so that nothing here locks: to count costs two or three look-ups in dictionaries. A
label's value that was not declared raises when it comes for the first time.

Each series gives its values in two ways: `collect` as prometheus-client wants them, and `text` for a scrape. The second
keeps the beginning of each line, name and labels, from scrape to scrape: of a thousand lines it takes half a
millisecond, prometheus-client eight, which every call would wait for. A test holds both to the same bytes.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import product

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from stewardd.metrics.metric import Kind, Metric, Vocabulary

LabelValues = tuple[str, ...]
Reader = Callable[[], Mapping[LabelValues, float]]

# A metric of so few combinations of values shows all of them from the start, so that rate() sees the first event. A
# histogram has fifteen lines for each.
_SHOWN_AT_ONCE = 64
_HISTOGRAMS_SHOWN_AT_ONCE = 8
_PLAIN_UNTIL = 1_000_000


class UndeclaredValue(ValueError):
    """A label was given a value that its declaration does not have."""


class Series(Collector, ABC):
    """The values of one metric, by the values of its labels."""

    def __init__(self, metric: Metric, vocabulary: Vocabulary) -> None:
        self.metric = metric
        self._allowed = [label.allowed(vocabulary) for label in metric.labels]
        self._head = f"# HELP {metric.name} {metric.help}\n# TYPE {metric.name} {metric.kind}\n"
        self._beginnings: dict[LabelValues, list[str]] = {}

    @abstractmethod
    def text(self) -> str:
        """Returns the lines of the metric, its help and its type first. Raises: UndeclaredValue."""

    def check(self, values: LabelValues) -> LabelValues:
        """Returns the values of the labels. Raises: UndeclaredValue."""
        declared = self.metric.labels
        if len(values) != len(declared):
            raise UndeclaredValue(f"{self.metric.name} has {len(declared)} labels")
        for label, value, allowed in zip(declared, values, self._allowed, strict=True):
            if value not in allowed:
                raise UndeclaredValue(f"{self.metric.name}: {value!r} is no declared {label.name}")
        return values

    def combinations(self, most: int) -> Iterator[LabelValues]:
        """Yields every combination of values, of a metric that has no more than `most`."""
        if math.prod(map(len, self._allowed)) <= most:
            yield from product(*map(sorted, self._allowed))

    @property
    def names(self) -> list[str]:
        """The names of the labels."""
        return [label.name for label in self.metric.labels]

    def line_beginnings(self, values: LabelValues) -> list[str]:
        """Returns what the lines of these values begin with, checked when they come for the first time."""
        found = self._beginnings.get(values)
        if found is None:
            found = self._make_beginnings(dict(zip(self.names, self.check(values), strict=True)))
            self._beginnings[values] = found
        return found

    def _make_beginnings(self, labels: dict[str, str]) -> list[str]:
        return [_beginning(self.metric.name, labels)]


class Counter(Series):
    """A number for each combination of labels, which only grows."""

    def __init__(self, metric: Metric, vocabulary: Vocabulary) -> None:
        super().__init__(metric, vocabulary)
        self._numbers: dict[LabelValues, float] = dict.fromkeys(
            self.combinations(_SHOWN_AT_ONCE), 0
        )

    def add(self, *values: str, amount: float = 1) -> None:
        """Counts. Raises: UndeclaredValue."""
        try:
            self._numbers[values] += amount
        except KeyError:
            self._numbers[self.check(values)] = amount

    def collect(self) -> Iterable[Family]:
        """Yields the family, for prometheus-client."""
        yield _family(self.metric, self.names, self._numbers)

    def text(self) -> str:
        """See Series.text."""
        return self._head + "".join(
            [self.line_beginnings(each)[0] + _number(it) for each, it in self._numbers.items()]
        )


class Buckets:
    """The values of a histogram for one combination of labels. A loan of the pool is counted in twice."""

    __slots__ = ("_bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def count(self, value: float) -> None:
        """Counts one in."""
        self.counts[bisect_left(self._bounds, value)] += 1
        self.total += value


class Histogram(Series):
    """How many were at most so large, for each combination of labels."""

    def __init__(self, metric: Metric, vocabulary: Vocabulary) -> None:
        super().__init__(metric, vocabulary)
        self._bounds = metric.bounds
        self._by_values: dict[LabelValues, Buckets] = {}
        for values in self.combinations(_HISTOGRAMS_SHOWN_AT_ONCE):
            self._buckets(values)

    def observe(self, value: float, *values: str) -> None:
        """Counts one in. Raises: UndeclaredValue."""
        self._buckets(values).count(value)

    def observer(self, *values: str) -> Callable[[float], None]:
        """Returns what counts values in for these labels, without looking them up each time."""
        return self._buckets(values).count

    def collect(self) -> Iterable[Family]:
        """Yields the family, for prometheus-client."""
        family = HistogramMetricFamily(self.metric.name, self.metric.help, labels=self.names)
        for values, buckets in self._by_values.items():
            reached = zip(self._ends, _running_sums(buckets.counts), strict=True)
            family.add_metric(values, list(reached), buckets.total)
        yield family

    def text(self) -> str:
        """See Series.text."""
        lines = [self._head]
        for values, buckets in self._by_values.items():
            reached = _running_sums(buckets.counts)
            numbers = [*reached, reached[-1], buckets.total]
            beginnings = self.line_beginnings(values)
            lines += [
                beginning + _number(number)
                for beginning, number in zip(beginnings, numbers, strict=True)
            ]
        return "".join(lines)

    @property
    def _ends(self) -> list[str]:
        return [*map(str, self._bounds), "+Inf"]

    def _buckets(self, values: LabelValues) -> Buckets:
        found = self._by_values.get(values)
        if found is None:
            found = self._by_values[self.check(values)] = Buckets(self._bounds)
        return found

    def _make_beginnings(self, labels: dict[str, str]) -> list[str]:
        name = self.metric.name
        buckets = [_beginning(f"{name}_bucket", {**labels, "le": end}) for end in self._ends]
        return [*buckets, _beginning(f"{name}_count", labels), _beginning(f"{name}_sum", labels)]


class Reading(Series):
    """A gauge, or a counter that another part keeps, whose values are read at each scrape."""

    def __init__(self, metric: Metric, vocabulary: Vocabulary, read: Reader) -> None:
        super().__init__(metric, vocabulary)
        self._read = read

    def collect(self) -> Iterable[Family]:
        """Yields the family, for prometheus-client. Raises: UndeclaredValue."""
        numbers = self._read()
        yield _family(
            self.metric, self.names, {self.check(each): numbers[each] for each in numbers}
        )

    def text(self) -> str:
        """See Series.text."""
        return self._head + "".join(
            [self.line_beginnings(each)[0] + _number(it) for each, it in self._read().items()]
        )


def _family(metric: Metric, names: list[str], numbers: Mapping[LabelValues, float]) -> Family:
    of_kind = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
    family = of_kind(metric.name, metric.help, labels=names)
    for values, number in numbers.items():
        family.add_metric(values, number)
    return family


def _running_sums(counts: list[int]) -> list[int]:
    """Returns how many there were up to each bucket."""
    reached, found = 0, []
    for count in counts:
        reached += count
        found.append(reached)
    return found


def _beginning(name: str, labels: Mapping[str, str]) -> str:
    """Returns a line up to its number."""
    if not labels:
        return f"{name} "
    pairs = ",".join(f'{label}="{_escaped(labels[label])}"' for label in sorted(labels))
    return f"{name}{{{pairs}}} "


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _number(value: float) -> str:
    """Returns the end of a line. Most numbers are counts, and those that are not large have a short way."""
    if value.__class__ is int and -_PLAIN_UNTIL < value < _PLAIN_UNTIL:
        return f"{value}.0\n"
    return f"{floatToGoString(value)}\n"
