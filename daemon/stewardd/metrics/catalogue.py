"""Every metric that the daemon has, area by area. A part that measures adds its file here."""

from __future__ import annotations

from stewardd.metrics import (
    backups,
    batches,
    calls,
    connections,
    databases,
    health,
    operations,
    payloads,
    process,
    quarantine,
    repository,
)
from stewardd.metrics.metric import Metric

# The areas in the order of the page, each under its heading.
AREAS: dict[str, tuple[Metric, ...]] = {
    "The daemon": health.METRICS,
    "Calls": calls.METRICS,
    "Batches": batches.METRICS,
    "Payloads": payloads.METRICS,
    "The quarantine": quarantine.METRICS,
    "Operations": operations.METRICS,
    "Backups": backups.METRICS,
    "Databases": (*databases.METRICS, *connections.METRICS),
    "The repository": repository.METRICS,
    "The process": process.METRICS,
}
CATALOGUE: tuple[Metric, ...] = tuple(metric for area in AREAS.values() for metric in area)
