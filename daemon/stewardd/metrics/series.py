"""The values of metrics: counters and histograms that are told, and readings that are taken at a scrape.

All of it runs in the event loop, so that nothing here locks: counting a call costs two or three look-ups in
dictionaries. A label's value that was not declared raises, once for all, when it first comes.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from itertools import product

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family

from stewardd.metrics.metric import Kind, Metric, Vocabulary

Labels = tuple[str, ...]
Reader = Callable[[], Mapping[Labels, float]]

# A metric of so few combinations of values shows all of them from the start, so that rate() sees the first event. A
# histogram has fifteen lines for each.
_SHOWN_AT_ONCE = 64
_HISTOGRAMS_SHOWN_AT_ONCE = 8


class UndeclaredValue(ValueError):
    """A label was given a value that its declaration does not have."""


class Declared:
    """A metric with every value that its labels may have."""

    def __init__(self, metric: Metric, vocabulary: Vocabulary) -> None:
        self.metric = metric
        self._allowed = [label.allowed(vocabulary) for label in metric.labels]

    def check(self, labels: Labels) -> Labels:
        """Returns the values of the labels. Raises UndeclaredValue."""
        declared = self.metric.labels
        if len(labels) != len(declared):
            raise UndeclaredValue(f"{self.metric.name} has {len(declared)} labels")
        for label, value, allowed in zip(declared, labels, self._allowed, strict=True):
            if value not in allowed:
                raise UndeclaredValue(f"{self.metric.name}: {value!r} is no declared {label.name}")
        return labels

    def combinations(self, most: int) -> Iterator[Labels]:
        """Yields every combination of values, of a metric that has no more than `most`."""
        if math.prod(map(len, self._allowed)) <= most:
            yield from product(*map(sorted, self._allowed))

    @property
    def names(self) -> list[str]:
        """The names of the labels."""
        return [label.name for label in self.metric.labels]


class Counter(Declared):
    """A number for each combination of labels, which only grows."""

    def __init__(self, metric: Metric, vocabulary: Vocabulary) -> None:
        super().__init__(metric, vocabulary)
        self._values: dict[Labels, float] = dict.fromkeys(self.combinations(_SHOWN_AT_ONCE), 0)

    def add(self, *labels: str, amount: float = 1) -> None:
        """Counts. Raises UndeclaredValue."""
        try:
            self._values[labels] += amount
        except KeyError:
            self._values[self.check(labels)] = amount

    def collect(self) -> Iterator[Family]:
        """Yields the family, as prometheus-client wants it."""
        family = CounterMetricFamily(self.metric.name, self.metric.help, labels=self.names)
        for labels, value in self._values.items():
            family.add_metric(labels, value)
        yield family


class Histogram(Declared):
    """How many were at most so large, for each combination of labels."""

    def __init__(self, metric: Metric, vocabulary: Vocabulary) -> None:
        super().__init__(metric, vocabulary)
        self._bounds = metric.bounds
        self._counts: dict[Labels, list[int]] = {}
        self._sums: dict[Labels, float] = {}
        for labels in self.combinations(_HISTOGRAMS_SHOWN_AT_ONCE):
            self._begin(labels)

    def observe(self, value: float, *labels: str) -> None:
        """Counts one in. Raises UndeclaredValue."""
        if labels not in self._counts:
            self._begin(self.check(labels))
        self._counts[labels][bisect_left(self._bounds, value)] += 1
        self._sums[labels] += value

    def collect(self) -> Iterator[Family]:
        """Yields the family, as prometheus-client wants it."""
        family = HistogramMetricFamily(self.metric.name, self.metric.help, labels=self.names)
        ends = [*map(str, self._bounds), "+Inf"]
        for labels, counts in self._counts.items():
            reached = 0
            buckets = []
            for end, count in zip(ends, counts, strict=True):
                reached += count
                buckets.append((end, reached))
            family.add_metric(labels, buckets, self._sums[labels])
        yield family

    def _begin(self, labels: Labels) -> None:
        self._counts[labels] = [0] * (len(self._bounds) + 1)
        self._sums[labels] = 0.0


class Reading(Declared):
    """A gauge, or a counter that another part keeps, whose values are read at each scrape."""

    def __init__(self, metric: Metric, vocabulary: Vocabulary, read: Reader) -> None:
        super().__init__(metric, vocabulary)
        self._read = read

    def collect(self) -> Iterator[Family]:
        """Yields the family, as prometheus-client wants it. Raises UndeclaredValue."""
        of_kind = CounterMetricFamily if self.metric.kind is Kind.COUNTER else GaugeMetricFamily
        family = of_kind(self.metric.name, self.metric.help, labels=self.names)
        for labels, value in self._read().items():
            family.add_metric(self.check(labels), value)
        yield family
