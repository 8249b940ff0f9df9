"""Batches: uploads by how they ended, rows by verdict, bytes and time. Validation tells at the end of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from stewardd.metrics.metric import SCHEMA, WORK_SECONDS, Kind, Label, Metric

if TYPE_CHECKING:
    from stewardd.metrics.exposition import Metrics

PUBLISHED, REPEATED, ABANDONED = "published", "repeated", "abandoned"
OUTCOME = Label(
    "outcome",
    "`published`; `repeated`: the request_id had its batch already; `abandoned`: refused, cut or cancelled",
    (PUBLISHED, REPEATED, ABANDONED),
)
VERDICT = Label("verdict", "`valid` or `quarantined`", ("valid", "quarantined"))

UPLOADS = Metric(
    "steward_uploads_total",
    Kind.COUNTER,
    "Files that were sent, or read from a uri, by what came of them.",
    (OUTCOME,),
)
RECEIVED = Metric(
    "steward_upload_received_bytes_total",
    Kind.COUNTER,
    "Bytes of files that were judged, as they were sent, also of those that came to nothing.",
)
BATCHES = Metric(
    "steward_batches_published_total", Kind.COUNTER, "Batches that were published.", (SCHEMA,)
)
ROWS = Metric(
    "steward_batch_rows_total",
    Kind.COUNTER,
    "Rows of published batches, by verdict.",
    (SCHEMA, VERDICT),
)
BYTES = Metric(
    "steward_batch_size_bytes_total",
    Kind.COUNTER,
    "Sizes of the files of published batches, as they were sent.",
    (SCHEMA,),
)
SECONDS = Metric(
    "steward_batch_duration_seconds",
    Kind.HISTOGRAM,
    "How long published batches took, from Open to the manifest.",
    (),
    WORK_SECONDS,
)
RUNNING = Metric("steward_batches_running", Kind.GAUGE, "Batches that are being validated now.")
METRICS = (UPLOADS, RECEIVED, BATCHES, ROWS, BYTES, SECONDS, RUNNING)


class BatchMetrics:
    """What validation tells. `running` says how many batches are in the making."""

    def __init__(self, metrics: Metrics, running: Callable[[], int]) -> None:
        self._uploads = metrics.counter(UPLOADS)
        self._received = metrics.counter(RECEIVED)
        self._batches = metrics.counter(BATCHES)
        self._rows = metrics.counter(ROWS)
        self._bytes = metrics.counter(BYTES)
        self._seconds = metrics.histogram(SECONDS)
        metrics.read(RUNNING, lambda: {(): running()})

    def published(
        self, schema: str, valid_rows: int, quarantined_rows: int, size_bytes: int, elapsed_s: float
    ) -> None:
        """Counts a batch that exists from now on."""
        self._batches.add(schema)
        self._rows.add(schema, "valid", amount=valid_rows)
        self._rows.add(schema, "quarantined", amount=quarantined_rows)
        self._bytes.add(schema, amount=size_bytes)
        self._seconds.observe(elapsed_s)

    def ended(self, outcome: str, received_bytes: int) -> None:
        """Counts an upload that is over, whatever came of it."""
        self._uploads.add(outcome)
        self._received.add(amount=received_bytes)
