"""The metrics of one daemon, and their text for Prometheus (text format 0.0.4).

The text is made in the event loop, metric by metric, with room for other work between them. A thread would not help: it
holds the interpreter for as long (a switch is asked for after 5 ms).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TypeVar

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from stewardd.metrics.metric import Metric, Vocabulary
from stewardd.metrics.series import Counter, Histogram, Reader, Reading, Series

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
OneSeries = TypeVar("OneSeries", bound=Series)


class Metrics:
    """The metrics of one daemon, in a registry of its own. Only metrics of the catalogue are taken, each once."""

    def __init__(self, catalogue: Iterable[Metric], vocabulary: Vocabulary) -> None:
        self._catalogue = frozenset(catalogue)
        self._vocabulary = vocabulary
        self._process = CollectorRegistry()
        ProcessCollector(registry=self._process)
        self._series: dict[str, Series] = {}
        self.registry = CollectorRegistry()

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
        """Returns the text. Raises: UndeclaredValue."""
        parts = [generate_latest(self._process)]
        for series in list(self._series.values()):
            await asyncio.sleep(0)
            parts.append(series.text().encode())
        return b"".join(parts)

    def _added(self, series: OneSeries) -> OneSeries:
        name = series.metric.name
        if series.metric not in self._catalogue:
            raise ValueError(f"{name} is not in the catalogue")
        if name in self._series:
            raise ValueError(f"{name} has its values already")
        self._series[name] = series
        self.registry.register(series)
        return series
