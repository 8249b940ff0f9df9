"""Checks the files of the database that was backed up, where a verification is asked to.

What is found condemns the source, and not the backup: a dump reads tables without their indexes, and a restore makes
every index anew, so that a sound backup of a damaged database is what helps.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated

from stewardd.errors import DatabaseDown, DatabaseRefused, ToolMissing
from stewardd.postgres.amcheck import check_files
from stewardd.postgres.target import DatabaseTarget
from stewardd.repository.document import LEFT_OUT_IF_EMPTY, Count, Seconds
from stewardd.telemetry import logger

log = logger("backup")

_MOST_DAMAGES = 50


class SourceOutcome(StrEnum):
    """What a check of the source came to. The words are stored: they never change."""

    SOUND = "SOUND"
    """no damage was found"""
    DAMAGED = "DAMAGED"
    """a table or an index of the source is damaged"""
    COULD_NOT_RUN = "COULD_NOT_RUN"
    """nothing was found out"""


@dataclass(frozen=True, slots=True)
class SourceCheck:
    """What a check came to: `reason` is a stable word, such as AMCHECK_MISSING, `detail` the same for people.

    `damages` are the first fifty.
    """

    outcome: SourceOutcome
    reason: Annotated[str, LEFT_OUT_IF_EMPTY] = ""
    detail: Annotated[str, LEFT_OUT_IF_EMPTY] = ""
    damages: tuple[str, ...] = ()
    tables: Count = 0
    indexes: Count = 0
    elapsed_s: Seconds = 0.0


class SourceChecks:
    """Checks the configured databases."""

    def __init__(
        self, databases: Mapping[str, DatabaseTarget], *, jobs: int, max_duration_s: float
    ) -> None:
        self._databases = dict(databases)
        self._jobs = jobs
        self._max_duration_s = max_duration_s

    async def run(self, database: str) -> SourceCheck:
        """Checks a database by its configured name; cancelling the task ends it."""
        began_at = time.monotonic()
        found = await self._run(database)
        elapsed_s = round(time.monotonic() - began_at, 3)
        tell = log.error if found.outcome is SourceOutcome.DAMAGED else log.info
        tell(
            "source checked",
            database=database,
            outcome=found.outcome.value,
            detail=found.detail,
            elapsed_s=elapsed_s,
        )
        return replace(found, elapsed_s=elapsed_s)

    async def _run(self, database: str) -> SourceCheck:
        target = self._databases.get(database)
        if target is None:
            said = f"database {database!r} is not configured here"
            return _could_not_run("DATABASE_UNKNOWN", said)
        try:
            async with asyncio.timeout(self._max_duration_s):
                found = await check_files(target, jobs=self._jobs)
        except TimeoutError:
            said = f"the check took longer than {self._max_duration_s:g} s"
            return _could_not_run("EXHAUSTED", said)
        except ToolMissing as error:
            return _could_not_run("AMCHECK_MISSING", f"{error.message}: {error.hint}")
        except (DatabaseDown, DatabaseRefused) as error:
            return _could_not_run(error.reason, error.message)
        if not found.damages:
            return SourceCheck(SourceOutcome.SOUND, tables=found.tables, indexes=found.indexes)
        others = len(found.damages) - 1
        more = f", and {others} more" if others else ""
        return SourceCheck(
            SourceOutcome.DAMAGED,
            "DAMAGE",
            f"{found.damages[0]}{more}",
            found.damages[:_MOST_DAMAGES],
            found.tables,
            found.indexes,
        )


def _could_not_run(reason: str, detail: str) -> SourceCheck:
    return SourceCheck(SourceOutcome.COULD_NOT_RUN, reason, detail)
