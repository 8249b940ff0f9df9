"""What is known of each kind of component, beside its state."""

from __future__ import annotations

from dataclasses import dataclass

from stewardd.backup.failures import BackupFailures
from stewardd.postgres.breaker import BreakerState


@dataclass(frozen=True, slots=True)
class PoolFacts:
    """A pool of connections."""

    size: int
    idle: int
    waiting: int
    min_size: int
    max_size: int


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    """A target database; `latency_s` and `server_version` are of the last probe that it answered."""

    server_version: str
    latency_s: float
    pool: PoolFacts
    embedded: bool
    breaker: BreakerState
    leaks: int


@dataclass(frozen=True, slots=True)
class RepositoryFacts:
    """The repository; `free_bytes` is None where the backend cannot tell."""

    url: str
    writable: bool
    free_bytes: int | None


@dataclass(frozen=True, slots=True)
class BackupFacts:
    """The backups; `last_backup_age_s` is None where there is none.

    `failures` counts those that failed since the last success of their database; `last_failure` is the newest of them.
    """

    last_backup: str
    last_backup_age_s: float | None
    running: int
    failures: int = 0
    last_failure: BackupFailures | None = None
