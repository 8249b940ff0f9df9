"""Counts of the quarantine as messages of the contract."""

from __future__ import annotations

from steward.v1 import quarantine_pb2 as q

from stewardd.quarantine.finding.stats import RowCounts, Stats
from stewardd.rpc import names


def stats_message(stats: Stats) -> q.QuarantineStats:
    """Returns counts as the contract has them."""
    counts = stats.all
    return q.QuarantineStats(
        batches=counts.batches,
        total_rows=counts.total_rows,
        valid_rows=counts.valid_rows,
        quarantined_rows=counts.quarantined_rows,
        resolved_rows=counts.resolved_rows,
        discarded_rows=counts.discarded_rows,
        open_rows=counts.open_rows,
        errors_by_field=stats.errors_by_field,
        errors_by_keyword=stats.errors_by_keyword,
        errors_by_schema=stats.errors_by_schema,
        errors_by_version={
            names.schema(*key): count for key, count in stats.errors_by_version.items()
        },
        top_values=[
            q.QuarantineStats.TopValue(
                field=each.field, keyword=each.keyword, value=each.value, count=each.count
            )
            for each in stats.top_values
        ],
        top_values_approximate=stats.top_values_approximate,
        days=[_day(day, stats.days[day]) for day in sorted(stats.days)],
        partial=stats.partial,
    )


def _day(day: str, counts: RowCounts) -> q.QuarantineStats.Day:
    return q.QuarantineStats.Day(
        day=day,
        batches=counts.batches,
        total_rows=counts.total_rows,
        quarantined_rows=counts.quarantined_rows,
        resolved_rows=counts.resolved_rows,
        discarded_rows=counts.discarded_rows,
        open_rows=counts.open_rows,
    )
