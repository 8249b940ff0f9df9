"""The metrics of one daemon, and their text for Prometheus (text format 0.0.4).

The text is made in the event loop, in slices with room for other work between them: one of a thousand lines takes
several milliseconds, and a thread would hold the interpreter for as long (a switch is asked for after 5 ms).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from typing import TypeVar

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from stewardd.metrics.metric import Metric, Vocabulary
from stewardd.metrics.series import Counter, Histogram, Reader, Reading

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
Series = TypeVar("Series", Counter, Histogram, Reading)
# A line costs prometheus-client 8 µs: so many cost no other call more than a millisecond.
_SLICE_LINES = 100


class Metrics:
    """The metrics of one daemon, in a registry of its own. Only metrics of the catalogue are taken, each once."""

    def __init__(self, catalogue: Iterable[Metric], vocabulary: Vocabulary) -> None:
        self._catalogue = frozenset(catalogue)
        self._vocabulary = vocabulary
        self._registry = CollectorRegistry()
        self._names: set[str] = set()
        ProcessCollector(registry=self._registry)

    def counter(self, metric: Metric) -> Counter:
        """Returns a counter of the metric, to be told."""
        return self._added(Counter(metric, self._vocabulary))

    def histogram(self, metric: Metric) -> Histogram:
        """Returns a histogram of the metric, to be told."""
        return self._added(Histogram(metric, self._vocabulary))

    def read(self, metric: Metric, reader: Reader) -> None:
        """Reads the metric's values at each scrape. The reader returns at once, from memory."""
        self._added(Reading(metric, self._vocabulary, reader))

    async def exposition(self) -> bytes:
        """Returns the text. Raises UndeclaredValue."""
        found = bytearray()
        for part in _slices(self._registry.collect()):
            found += part
            await asyncio.sleep(0)
        return bytes(found)

    def _added(self, series: Series) -> Series:
        name = series.metric.name
        if series.metric not in self._catalogue:
            raise ValueError(f"{name} is not in the catalogue")
        if name in self._names:
            raise ValueError(f"{name} has its values already")
        self._names.add(name)
        self._registry.register(series)
        return series


class _Part(Collector):
    """Some lines of one family, for prometheus-client to write."""

    def __init__(self, family: Family) -> None:
        self._family = family

    def collect(self) -> Iterator[Family]:
        yield self._family


def _slices(families: Iterable[Family]) -> Iterator[bytes]:
    """Yields the text of the families, a hundred lines at most at a time."""
    for family in families:
        samples = family.samples
        for start in range(0, max(1, len(samples)), _SLICE_LINES):
            part = Family(family.name, family.documentation, family.type)
            part.samples = samples[start : start + _SLICE_LINES]
            text = generate_latest(_Part(part))
            # The first two lines, HELP and TYPE, stand once.
            yield text if start == 0 else text.split(b"\n", 2)[2]
