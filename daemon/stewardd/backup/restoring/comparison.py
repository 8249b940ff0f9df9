"""Compares a database with the backup that was restored into it, before anybody uses it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from stewardd.backup.restoring.plan import RestorePlan
from stewardd.backup.restoring.request import RestoreMode
from stewardd.backup.verifying.comparing import Expected, RestoreDifference, compare_restored
from stewardd.backup.worker.psql_session import psql_sessions
from stewardd.errors import RestoreDiffers
from stewardd.postgres.restored import APPLICATION, read_restored
from stewardd.postgres.target import DatabaseTarget

_SHOWN_DIFFERENCES = 5


async def check_restored(
    plan: RestorePlan,
    target: DatabaseTarget,
    expected: Expected,
    *,
    jobs: int,
    psql: str | None,
    on_table: Callable[[], None],
) -> None:
    """Compares rows, sequences, large objects and the catalogue; `psql` is the program that reads large tables.

    Raises: RestoreDiffers, DatabaseDown, DatabaseRefused, ToolFailed.
    """
    there = await read_restored(
        target,
        sorted(expected.tables, key=str),
        method=expected.method,
        with_large_objects=expected.large_objects is not None,
        jobs=jobs,
        start_session=psql_sessions(psql, APPLICATION),
        on_table=on_table,
    )
    differences = compare_restored(expected, there)
    if differences:
        raise RestoreDiffers(_told(differences, plan))


def _told(differences: Sequence[RestoreDifference], plan: RestorePlan) -> str:
    more = len(differences) - _SHOWN_DIFFERENCES
    said = "; ".join(map(str, differences[:_SHOWN_DIFFERENCES]))
    said += f"; and {more} more" if more > 0 else ""
    if plan.request.mode is RestoreMode.IN_PLACE:
        return f"{said}; other sessions may have written to {plan.target!r} meanwhile"
    if plan.target_exists:
        return f"{said}; the live database was not touched"
    return f"{said}; the restored database was removed, and the live one was not touched"
