"""The quarantine: what its commits did, and how many rows are open. The ledger tells of commits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stewardd.metrics.metric import SCHEMA, Kind, Label, Metric

if TYPE_CHECKING:
    from stewardd.metrics.exposition import Metrics

ACTION = Label(
    "action",
    "what a commit does: `correct`, `resubmit`, `retry`, `discard`, `export`, `purge`, `erase`",
    source="actions",
)
STATE = Label("state", "`resolved` or `discarded`", ("resolved", "discarded"))

COMMITS = Metric(
    "steward_quarantine_commits_total",
    Kind.COUNTER,
    "Changes of quarantines by this daemon: corrections, sheets, exports and so on.",
    (ACTION,),
)
CHANGED = Metric(
    "steward_quarantine_changed_rows_total",
    Kind.COUNTER,
    "Rows that those changes were about, also rows that stayed open.",
    (ACTION,),
)
CLOSED = Metric(
    "steward_quarantine_closed_rows_total",
    Kind.COUNTER,
    "Rows that this daemon closed, by what they became.",
    (STATE,),
)
EXPORTED = Metric(
    "steward_quarantine_exported_rows_total",
    Kind.COUNTER,
    "Good rows that exports of a cursor took up for the first time.",
)
OPEN = Metric(
    "steward_quarantine_open_rows",
    Kind.GAUGE,
    "Open rows of the newest batches, as many as `web.counted_batches` says; of all daemons.",
    (SCHEMA,),
)
COUNTED = Metric(
    "steward_quarantine_counted_batches",
    Kind.GAUGE,
    "How many batches `steward_quarantine_open_rows` was counted over.",
)
COUNTED_AT = Metric(
    "steward_quarantine_counted_timestamp_seconds",
    Kind.GAUGE,
    "When those rows were last counted, in seconds since 1970; absent before the first time.",
)
METRICS = (COMMITS, CHANGED, CLOSED, EXPORTED, OPEN, COUNTED, COUNTED_AT)


class QuarantineMetrics:
    """What the ledger tells of commits, and what a background task counts."""

    def __init__(self, metrics: Metrics) -> None:
        self._commits = metrics.counter(COMMITS)
        self._changed = metrics.counter(CHANGED)
        self._closed = metrics.counter(CLOSED)
        self._exported = metrics.counter(EXPORTED)
        self._open_rows: dict[tuple[str, ...], float] = {}
        self._batches = 0
        self._counted_at: float | None = None
        metrics.read(OPEN, lambda: self._open_rows)
        metrics.read(COUNTED, lambda: {(): self._batches})
        metrics.read(COUNTED_AT, lambda: {} if self._counted_at is None else {(): self._counted_at})

    def committed(
        self, action: str, rows: int, resolved_rows: int, discarded_rows: int, exported_rows: int
    ) -> None:
        """Counts a commit that was made."""
        self._commits.add(action)
        self._changed.add(action, amount=rows)
        self._closed.add("resolved", amount=resolved_rows)
        self._closed.add("discarded", amount=discarded_rows)
        self._exported.add(amount=exported_rows)

    def counted(self, open_rows: dict[str, int], batches: int, at: float) -> None:
        """Keeps what was counted at a moment (seconds since 1970): open rows by schema."""
        self._open_rows = {(schema,): rows for schema, rows in open_rows.items()}
        self._batches = batches
        self._counted_at = at
