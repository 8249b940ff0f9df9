"""ScheduleService: makes, shows and changes schedules of backups."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import grpc
from google.protobuf import empty_pb2
from steward.v1 import schedule_pb2 as pb
from steward.v1 import schedule_pb2_grpc

from stewardd.backup.schedules.book import ScheduleBook
from stewardd.backup.schedules.runs import ScheduleRuns
from stewardd.backup.schedules.schedule import BackupSchedule
from stewardd.errors import InvalidRequest
from stewardd.rpc import names
from stewardd.rpc.context import Context
from stewardd.rpc.names import actor_of
from stewardd.rpc.pages import last_name_of, page_size_of, token_after
from stewardd.rpc.schedule.messages import changed, definition_of, schedule_message

_LISTING = "schedules"


class ScheduleServicer(schedule_pb2_grpc.ScheduleServiceServicer):
    """Translates; when a schedule is due and who runs it is said in backup/schedules/."""

    service_name = pb.DESCRIPTOR.services_by_name["ScheduleService"].full_name

    def __init__(
        self,
        book: ScheduleBook,
        runs: ScheduleRuns,
        on_change: Callable[[], None],
        now: Callable[[], datetime],
    ) -> None:
        self._book = book
        self._runs = runs
        self._on_change = on_change
        self._now = now

    def add_to(self, server: grpc.aio.Server) -> None:
        """Registers the service."""
        schedule_pb2_grpc.add_ScheduleServiceServicer_to_server(self, server)

    async def CreateSchedule(
        self, request: pb.CreateScheduleRequest, context: Context
    ) -> pb.Schedule:
        """Makes a schedule."""
        made = await self._book.create(
            names.parse_schedule(request.schedule.name, field="schedule.name"),
            definition_of(request.schedule),
            paused=request.schedule.paused,
            actor=actor_of(request.actor),
        )
        self._on_change()
        return await self._message(made)

    async def GetSchedule(self, request: pb.GetScheduleRequest, context: Context) -> pb.Schedule:
        """Returns one schedule."""
        return await self._message(await self._book.get(names.parse_schedule(request.name)))

    async def ListSchedules(
        self, request: pb.ListSchedulesRequest, context: Context
    ) -> pb.ListSchedulesResponse:
        """Returns a page of schedules, by name."""
        size, last = page_size_of(request.page_size), last_name_of(_LISTING, request.page_token)
        found = [each for each in await self._book.all() if each.name > last]
        page = found[:size]
        return pb.ListSchedulesResponse(
            schedules=[await self._message(each) for each in page],
            next_page_token=token_after(_LISTING, page[-1].name) if len(found) > size else "",
        )

    async def UpdateSchedule(
        self, request: pb.UpdateScheduleRequest, context: Context
    ) -> pb.Schedule:
        """Changes a schedule."""
        message = request.schedule
        fields = list(request.update_mask.paths)
        if not fields:
            raise InvalidRequest("update_mask names no field", field="update_mask")
        others = [each for each in fields if each != "paused"]
        found = await self._book.update(
            names.parse_schedule(message.name, field="schedule.name"),
            lambda before: changed(before, message, others),
            paused=message.paused if "paused" in fields else None,
            actor=actor_of(request.actor),
        )
        self._on_change()
        return await self._message(found)

    async def DeleteSchedule(
        self, request: pb.DeleteScheduleRequest, context: Context
    ) -> empty_pb2.Empty:
        """Deletes a schedule."""
        await self._book.delete(names.parse_schedule(request.name), actor_of(request.actor))
        self._on_change()
        return empty_pb2.Empty()

    async def _message(self, schedule: BackupSchedule) -> pb.Schedule:
        return schedule_message(schedule, await self._runs.last(schedule.name), self._now())
