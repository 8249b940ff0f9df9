"""How each component is looked at, and what is made of what was seen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from stewardd.backup.backups import Backups
from stewardd.backup.copying.copies import BackupCopies
from stewardd.backup.failures import BackupFailures
from stewardd.backup.newest import NewestBackups
from stewardd.backup.pruning import DatabasePlan
from stewardd.backup.retention.plan import in_words
from stewardd.backup.verifying.overview import ProofOverview
from stewardd.errors import (
    ConfigurationError,
    Corrupt,
    DatabaseDown,
    DatabaseFull,
    DatabaseRefused,
    RepositoryDown,
    StorageFull,
)
from stewardd.excerpt import excerpt
from stewardd.health.facts import BackupFacts, DatabaseFacts, PoolFacts, RepositoryFacts
from stewardd.health.monitor import Finding
from stewardd.health.state import HealthState
from stewardd.postgres.breaker import BreakerState
from stewardd.postgres.database import Database, DatabaseView
from stewardd.repository.backend.store import Store
from stewardd.repository.identifiers import created_at

LITTLE_ROOM_BYTES = 1024**3
_REASON_LIMIT = 300
Look = Callable[[], Awaitable[Finding]]


@dataclass(frozen=True, slots=True)
class BackupLimits:
    """How old the newest backup may be, and the newest verified one; a `verified_age` of nothing is no limit."""

    retention_window: timedelta
    verified_age: timedelta


def database(database: Database, *, timeout_s: float) -> Look:
    """Looks at a database with a connection of its own, never through the pool's queue."""

    async def look() -> Finding:
        state, detail = HealthState.HEALTHY, ""
        try:
            await database.look(timeout_s)
        except DatabaseFull as error:
            # It is up: what the pool holds goes on serving, and only more of it is not to be had.
            state, detail = HealthState.DEGRADED, error.message
        except (DatabaseDown, DatabaseRefused) as error:
            state, detail = HealthState.DOWN, error.message
        view = database.view()
        if state is HealthState.HEALTHY:
            state, detail = _judge_callers(view)
        return Finding(state, detail, _database_facts(view))

    return look


def _judge_callers(view: DatabaseView) -> tuple[HealthState, str]:
    """What callers meet while the database itself answers."""
    breaker, pool = view.breaker.state, view.pool
    if breaker is BreakerState.FORCED_OPEN:
        reset = f"`steward db breaker reset {view.name}` closes it"
        return HealthState.DEGRADED, f"its circuit breaker was opened by hand; {reset}"
    if breaker is BreakerState.OPEN:
        return HealthState.DEGRADED, "its circuit breaker is open: callers found it away"
    if pool.waiting > 0 and pool.idle == 0 and pool.size >= pool.max_size:
        said = f"all {pool.max_size} connections are lent, {pool.waiting} callers wait"
        return HealthState.DEGRADED, said
    if breaker is BreakerState.HALF_OPEN:
        # Nobody may want the database for days: that is no reason to call it degraded.
        return HealthState.HEALTHY, "its circuit breaker is half-open: the next caller closes it"
    return HealthState.HEALTHY, ""


def _database_facts(view: DatabaseView) -> DatabaseFacts:
    sight = None if view.server is None else view.server.sight
    pool = view.pool
    return DatabaseFacts(
        server_version=sight.server_version if sight else "",
        latency_s=sight.latency_s if sight else 0.0,
        pool=PoolFacts(pool.size, pool.idle, pool.waiting, pool.min_size, pool.max_size),
        embedded=view.embedded,
        breaker=view.breaker.state,
        leaks=len(view.leaks),
    )


def repository(store: Store) -> Look:
    """Writes a probe object, reads it back, and asks for the room that is left."""

    async def look() -> Finding:
        await store.probe()
        free_bytes = await store.free_bytes()
        facts = RepositoryFacts(url=store.url, writable=True, free_bytes=free_bytes)
        if free_bytes is not None and free_bytes < LITTLE_ROOM_BYTES:
            return Finding(
                HealthState.DEGRADED, f"only {free_bytes // 1024**2} MiB are free", facts
            )
        return Finding(HealthState.HEALTHY, "", facts)

    return look


def backup(
    database: str,
    backups: Backups,
    newest: NewestBackups,
    failures: Callable[[], Awaitable[list[BackupFailures]]],
    limits: BackupLimits,
    proofs: Callable[[], Awaitable[Mapping[str, ProofOverview]]],
) -> Look:
    """Looks at the newest backup of a database, at those that failed after it, and how far its backups are proven.

    None at all is worth a word and no more: nothing has asked for one yet. A failure degrades until a backup of the
    database succeeds; so does a newest backup that is older than its retention's window, for nothing is deleted then, a
    newest verified one that is older than its own limit, and a corrupt one after which none was verified.
    """

    async def look() -> Finding:
        await newest.look()
        last = newest.by_database.get(database)
        failed = [each for each in await failures() if each.database == database]
        facts = BackupFacts(
            last_backup=last.backup_id if last else "",
            last_backup_age_s=_age_s(last.backup_id) if last else None,
            running=backups.running,
            failures=sum(each.count for each in failed),
            last_failure=max(failed, key=lambda each: each.time, default=None),
        )
        said = [_said(each) for each in failed]
        window = limits.retention_window
        said += _unproven(database, (await proofs()).get(database), limits.verified_age)
        if last is not None and datetime.now(UTC) - last.snapshot_time >= window:
            said.append(
                f"no backup of database {database!r} succeeded in the last {in_words(window)}: none is deleted"
            )
        if said:
            return Finding(HealthState.DEGRADED, "; ".join(said), facts)
        notice = "" if last else "there is no backup yet; `steward backup create` makes one"
        return Finding(HealthState.HEALTHY, notice, facts)

    return look


def _unproven(database: str, found: ProofOverview | None, limit: timedelta) -> list[str]:
    """What is wrong with the proofs of a database's backups."""
    if found is None:
        return []
    said = []
    if found.corrupt is not None:
        backup_id, detail = found.corrupt
        said.append(f"backup {backup_id} of database {database!r} is corrupt: {detail}")
    since = found.verified_time or found.first_time
    if limit and since is not None and datetime.now(UTC) - since > limit:
        what = (
            "the newest verified backup"
            if found.verified_time
            else "no backup is verified, and the oldest"
        )
        said.append(f"of database {database!r} {what} is older than {in_words(limit)}")
    return said


def copies(copies: BackupCopies, without_recent: Callable[[], list[DatabasePlan]]) -> Look:
    """Looks whether the second repository answers, how many backups have no copy there, and how old the copies are."""

    async def look() -> Finding:
        try:
            await copies.probe()
        except (RepositoryDown, ConfigurationError, StorageFull, Corrupt) as error:
            return Finding(HealthState.DEGRADED, f"{_behind(copies)}: {error.message}")
        said = [_no_recent_copy(each) for each in without_recent()]
        if copies.status.failure:
            said.insert(0, f"{_behind(copies)}: {copies.status.failure}")
        return Finding(HealthState.DEGRADED if said else HealthState.HEALTHY, "; ".join(said))

    return look


def _behind(copies: BackupCopies) -> str:
    count = sum(copies.status.behind.values())
    had = "backup has" if count == 1 else "backups have"
    return f"{count} {had} no copy in the second repository"


def _no_recent_copy(plan: DatabasePlan) -> str:
    window = in_words(plan.policy.window)
    return (
        f"every copy of database {plan.database!r} in the second repository is older than {window}: "
        "none is deleted"
    )


def _age_s(backup_id: str) -> float:
    return max(0.0, (datetime.now(UTC) - created_at(backup_id)).total_seconds())


def _said(failed: BackupFailures) -> str:
    times = "backup" if failed.count == 1 else f"{failed.count} backups"
    latest = "" if failed.count == 1 else ", the latest"
    moment = failed.time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    why = excerpt(failed.message, limit=_REASON_LIMIT)
    return f"the last {times} of database {failed.database!r} failed{latest} at {moment}: {why} [{failed.reason}]"
