"""The calls of ScheduleService."""

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration
from google.protobuf.empty_pb2 import Empty
from google.protobuf.field_mask_pb2 import FieldMask
from steward.v1 import schedule_pb2 as pb

from steward_client import protobuf_values
from steward_client.connection.call import Call, Page, Pages
from steward_client.schedules.types import Schedule

SERVICE = "/steward.v1.ScheduleService"


def create_schedule(message: pb.Schedule, actor: str) -> Call[pb.Schedule, Schedule]:
    """ScheduleService.CreateSchedule."""
    request = pb.CreateScheduleRequest(schedule=message, actor=actor)
    return Call(f"{SERVICE}/CreateSchedule", request, pb.Schedule, Schedule.from_proto)


def get_schedule(name: str) -> Call[pb.Schedule, Schedule]:
    """ScheduleService.GetSchedule."""
    request = pb.GetScheduleRequest(name=_name(name))
    return Call(f"{SERVICE}/GetSchedule", request, pb.Schedule, Schedule.from_proto)


def list_schedules(page_size: int) -> Pages[pb.ListSchedulesResponse, Schedule]:
    """ScheduleService.ListSchedules."""

    def page(answer: pb.ListSchedulesResponse) -> Page[Schedule]:
        return Page(tuple(map(Schedule.from_proto, answer.schedules)), answer.next_page_token)

    return lambda token: Call(
        f"{SERVICE}/ListSchedules",
        pb.ListSchedulesRequest(page_size=page_size, page_token=token),
        pb.ListSchedulesResponse,
        page,
    )


def update_schedule(
    message: pb.Schedule, fields: list[str], actor: str
) -> Call[pb.Schedule, Schedule]:
    """ScheduleService.UpdateSchedule."""
    request = pb.UpdateScheduleRequest(
        schedule=message, update_mask=FieldMask(paths=fields), actor=actor
    )
    return Call(f"{SERVICE}/UpdateSchedule", request, pb.Schedule, Schedule.from_proto)


def delete_schedule(name: str, actor: str) -> Call[Empty, None]:
    """ScheduleService.DeleteSchedule."""
    request = pb.DeleteScheduleRequest(name=_name(name), actor=actor)
    return Call(f"{SERVICE}/DeleteSchedule", request, Empty, lambda _answer: None)


def schedule_message(
    name: str,
    *,
    database: str | None = None,
    cron: str | None = None,
    time_zone: str | None = None,
    interval_s: float | None = None,
    jitter_s: float | None = None,
    description: str | None = None,
    paused: bool | None = None,
) -> tuple[pb.Schedule, list[str]]:
    """Returns a schedule to send, and the fields that were given."""
    given = {
        "database": database,
        "cron": cron,
        "time_zone": time_zone,
        "interval": None if interval_s is None else _duration(interval_s),
        "jitter": None if jitter_s is None else _duration(jitter_s),
        "description": description,
        "paused": paused,
    }
    fields = {field: value for field, value in given.items() if value is not None}
    return pb.Schedule(name=_name(name), **fields), list(fields)  # type: ignore[arg-type]


def _duration(seconds: float) -> Duration:
    message = Duration()
    message.FromNanoseconds(int(seconds * 1e9))
    return message


def _name(name: str) -> str:
    return protobuf_values.resource("schedules", name)
