"""A schedule of backups, as it is defined and as it is stored."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated

from stewardd.backup.schedules.timing import Timing
from stewardd.errors import InvalidRequest
from stewardd.repository.document import LEFT_OUT_IF_EMPTY, Codec, Moment, Seconds

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


@dataclass(frozen=True, slots=True)
class ScheduleDefinition:
    """What a schedule asks for: a backup of a database, at times."""

    database: str
    cron: str = ""
    time_zone: str = "UTC"
    interval_s: Seconds = 0.0
    jitter_s: Seconds = 0.0
    description: str = ""

    @property
    def timing(self) -> Timing:
        """When it is due."""
        return Timing(
            self.cron,
            self.time_zone,
            timedelta(seconds=self.interval_s),
            timedelta(seconds=self.jitter_s),
        )


@dataclass(frozen=True, slots=True)
class StoredSchedule:
    """A schedule's state, as it is stored. Due moments up to `since` are none of its own.

    Of a schedule of the configuration there is no definition here: only whether it is paused, and since when it is
    known. A deleted one leaves its last state, so that its name can be used again.
    """

    time: Moment
    since: Moment
    actor: str = ""
    paused: bool = False
    deleted: bool = False
    definition: Annotated[ScheduleDefinition | None, LEFT_OUT_IF_EMPTY] = None


class RunOutcome(StrEnum):
    """How the run of a due moment ended. The words are stored: they never change."""

    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class ScheduleRun:
    """The run of one due moment, as it is stored when it has ended: `attempts` counts those of killed daemons too."""

    due: Moment
    time: Moment
    outcome: RunOutcome
    operation: str
    attempts: int
    reason: str = ""


STORED_SCHEDULE = Codec(StoredSchedule, constants={"version": 1})
SCHEDULE_RUN = Codec(ScheduleRun, constants={"version": 1})


@dataclass(frozen=True, slots=True)
class BackupSchedule:
    """A schedule as a daemon knows it: its definition, of the configuration or of the repository, and its state."""

    name: str
    definition: ScheduleDefinition
    configured: bool
    paused: bool
    since: datetime

    def next_run(self, now: datetime) -> datetime | None:
        """When its next run begins; None while it is paused."""
        if self.paused:
            return None
        timing = self.definition.timing
        last = timing.last_due(now, self.name)
        due = timing.next_due(now if last is None else last)
        return None if due is None else due + timing.delay(due, self.name)

    def due(self, now: datetime) -> datetime | None:
        """The due moment whose run may begin now; None where there is none, or it is paused."""
        if self.paused:
            return None
        due = self.definition.timing.last_due(now, self.name)
        return due if due is not None and due > self.since else None


def check_name(name: str) -> str:
    """Returns the name of a schedule. Raises: InvalidRequest."""
    if _NAME.fullmatch(name) is None:
        raise InvalidRequest(
            f"{name[:64]!r} is no name of a schedule: at most 63 small letters, digits, _ and -",
            field="name",
        )
    return name
