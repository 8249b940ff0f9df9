"""The section `migrations`: where the set is, what must be proven, and how long a lock is waited for."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator

from stewardd.config.section import Section
from stewardd.config.values import Count, Folder, Seconds


class MigrationsSettings(Section):
    """How migrations are applied."""

    dir: Annotated[Folder | None, BeforeValidator(lambda value: value or None)] = None
    """the folder of the set, for databases that name none of their own; empty: the platform's 19 tables, which come
    with the daemon"""

    require_proof: bool = True
    """whether a migration that is not proven on the database's major version is refused, unless it is forced by name"""

    lock_timeout_s: Seconds = 0.2
    """how long a migration waits for a lock at a time: others wait behind it as long"""

    lock_patience_s: Seconds = 60.0
    """how long it goes on trying before it gives up"""

    max_replica_lag_s: Seconds = 10.0
    """a backfill pauses while a replica is further behind"""

    drift_ignore: list[str] = []
    """objects that drift passes over, such as public.events_2* (partitions that a job makes), analytics (a schema of
    other people) or extension pg_stat_statements; what belongs to them is passed over as well"""

    lint_exclude: list[str] = ["prefer-text-field", "prefer-bigint-over-int"]
    """rules of the linter that are off"""

    max_batches: Count = 1_000_000
    """a backfill that still changes rows after so many batches is stopped"""
