"""A declaration of a metric: its name, kind, help and labels, and every value that a label may have.

A label has few values, and all are known when the daemon starts: they stand here, or come from the contract, the
configuration and the schemas, which the Vocabulary holds. So a query, a file or an address can never become a label.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")

# The values of the labels that declare none themselves, by `Label.source`.
Vocabulary = Mapping[str, Collection[str]]


class Kind(StrEnum):
    """What a metric does: a counter only grows, a gauge goes up and down, a histogram counts by size."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Label:
    """A label; `meaning` describes its values. Without `values` the Vocabulary has them, under `source`."""

    name: str
    meaning: str
    values: tuple[str, ...] = ()
    source: str = ""

    def allowed(self, vocabulary: Vocabulary) -> frozenset[str]:
        """Returns every value that the label may have."""
        return frozenset(self.values or vocabulary.get(self.source, ()))


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric. `bounds` are the upper bounds of a histogram's buckets, without the infinite one."""

    name: str
    kind: Kind
    help: str
    labels: tuple[Label, ...] = ()
    bounds: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Raises ValueError for a name or buckets that Prometheus's conventions do not allow."""
        if _NAME.fullmatch(self.name) is None:
            raise ValueError(f"{self.name} is no name of a metric")
        if (self.kind is Kind.COUNTER) != self.name.endswith("_total"):
            raise ValueError(f"{self.name}: a counter ends in _total, and nothing else does")
        if (self.kind is Kind.HISTOGRAM) != bool(self.bounds):
            raise ValueError(f"{self.name}: a histogram has buckets, and nothing else does")


# From a call that is answered from memory to a backup of hours.
CALL_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)
WORK_SECONDS = (0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 4 * 3600.0)

DATABASE = Label("database", "a name under `postgres.databases`, or `embedded`", source="databases")
SCHEMA = Label(
    "schema",
    "the name of a schema that the daemon has loaded, or `other`: of one that it has no more",
    source="schemas",
)
METHOD = Label(
    "method", "a method that the daemon serves: `steward.v1.SystemService/Health`", source="methods"
)
COMPONENT = Label("component", "a component of `steward health`", source="components")
