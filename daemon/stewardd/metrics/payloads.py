"""Payloads that were judged one by one, by schema and verdict. Validation tells of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stewardd.metrics.metric import SCHEMA, Kind, Label, Metric

if TYPE_CHECKING:
    from stewardd.metrics.exposition import Metrics

VERDICT = Label("verdict", "`valid` or `invalid`", ("valid", "invalid"))
JUDGED = Metric(
    "steward_payloads_total",
    Kind.COUNTER,
    "Payloads that ValidatePayload judged.",
    (SCHEMA, VERDICT),
)
METRICS = (JUDGED,)


class PayloadMetrics:
    """What validation tells of payloads."""

    def __init__(self, metrics: Metrics) -> None:
        self._judged = metrics.counter(JUDGED)

    def judged(self, schema: str, *, valid: bool) -> None:
        """Counts a payload."""
        self._judged.add(schema, "valid" if valid else "invalid")
