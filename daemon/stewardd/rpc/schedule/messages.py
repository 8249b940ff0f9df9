"""Schedules as messages of the contract."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from steward.v1 import schedule_pb2 as pb

from stewardd.backup.schedules.schedule import (
    BackupSchedule,
    RunOutcome,
    ScheduleDefinition,
    ScheduleRun,
)
from stewardd.errors import InvalidRequest
from stewardd.rpc import names
from stewardd.rpc.times import duration, timestamp

MAX_DESCRIPTION = 256
_READ: dict[str, tuple[str, Callable[[pb.Schedule], Any]]] = {
    "database": ("database", lambda message: names.word_of(message.database, field="database")),
    "cron": ("cron", lambda message: names.word_of(message.cron, field="cron", longest=256)),
    "time_zone": ("time_zone", lambda message: message.time_zone or "UTC"),
    "interval": ("interval_s", lambda message: _seconds(message, "interval")),
    "jitter": ("jitter_s", lambda message: _seconds(message, "jitter")),
    "description": (
        "description",
        lambda message: names.word_of(
            message.description, field="description", longest=MAX_DESCRIPTION
        ),
    ),
}


def definition_of(message: pb.Schedule) -> ScheduleDefinition:
    """Returns what a schedule of a request asks for. Raises: InvalidRequest."""
    return changed(ScheduleDefinition(""), message, list(_READ))


def changed(
    definition: ScheduleDefinition, message: pb.Schedule, fields: list[str]
) -> ScheduleDefinition:
    """Returns a definition with some fields of a message. Raises: InvalidRequest for a field that there is not."""
    values: dict[str, Any] = {}
    for field in fields:
        if field not in _READ:
            raise InvalidRequest(
                f"update_mask names {field[:64]!r}, which cannot be changed", field="update_mask"
            )
        name, read = _READ[field]
        values[name] = read(message)
    return replace(definition, **values)


def schedule_message(
    schedule: BackupSchedule, last: ScheduleRun | None, now: datetime
) -> pb.Schedule:
    """Returns a schedule as the contract has it."""
    definition = schedule.definition
    next_run = schedule.next_run(now)
    return pb.Schedule(
        name=names.schedule(schedule.name),
        database=definition.database,
        cron=definition.cron,
        time_zone=definition.time_zone,
        interval=duration(definition.interval_s) if definition.interval_s else None,
        jitter=duration(definition.jitter_s) if definition.jitter_s else None,
        description=definition.description,
        paused=schedule.paused,
        configured=schedule.configured,
        next_run_time=timestamp(next_run) if next_run is not None else None,
        last_run=_run_message(last) if last is not None else None,
    )


def _run_message(run: ScheduleRun) -> pb.Schedule.Run:
    return pb.Schedule.Run(
        due_time=timestamp(run.due),
        end_time=timestamp(run.time),
        succeeded=run.outcome is RunOutcome.COMPLETED,
        operation=names.operation(run.operation),
        reason=run.reason,
        attempts=run.attempts,
    )


def _seconds(message: pb.Schedule, field: str) -> float:
    value = getattr(message, field)
    seconds = value.seconds + value.nanos / 1e9
    if not 0 <= seconds <= 1e9:
        raise InvalidRequest(f"{field} is negative, or too long", field=field)
    return float(seconds)
