"""The types of ScheduleService: a schedule, and its last run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from steward.v1 import schedule_pb2 as pb

from steward_client import protobuf_values


@dataclass(frozen=True, slots=True)
class ScheduleRun:
    """A run that has ended."""

    due_time: datetime
    end_time: datetime
    succeeded: bool
    operation: str
    """`operations/{operation}`."""
    reason: str
    """Why it failed, as a stable word."""
    attempts: int
    """Those of daemons that were killed among them."""

    @classmethod
    def from_proto(cls, message: pb.Schedule.Run) -> ScheduleRun:
        """Reads a steward.v1 Schedule.Run."""
        return cls(
            due_time=protobuf_values.time(message.due_time),
            end_time=protobuf_values.time(message.end_time),
            succeeded=message.succeeded,
            operation=message.operation,
            reason=message.reason,
            attempts=message.attempts,
        )


@dataclass(frozen=True, slots=True)
class Schedule:
    """A backup of a database, at times."""

    name: str
    """`schedules/{schedule}`."""
    database: str
    cron: str
    """Five fields; empty where it has an interval."""
    time_zone: str
    interval_s: float
    jitter_s: float
    description: str
    paused: bool
    configured: bool
    """It stands in the daemon's configuration, and can only be paused."""
    next_run_time: datetime | None
    """None while it is paused."""
    last_run: ScheduleRun | None

    @classmethod
    def from_proto(cls, message: pb.Schedule) -> Schedule:
        """Reads a steward.v1 Schedule."""
        has_next, has_last = message.HasField("next_run_time"), message.HasField("last_run")
        return cls(
            name=message.name,
            database=message.database,
            cron=message.cron,
            time_zone=message.time_zone,
            interval_s=protobuf_values.seconds(message.interval),
            jitter_s=protobuf_values.seconds(message.jitter),
            description=message.description,
            paused=message.paused,
            configured=message.configured,
            next_run_time=protobuf_values.time(message.next_run_time) if has_next else None,
            last_run=ScheduleRun.from_proto(message.last_run) if has_last else None,
        )
