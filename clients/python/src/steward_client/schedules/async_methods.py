"""The client's methods for schedules: ScheduleService."""

from __future__ import annotations

from collections.abc import AsyncIterator

from steward_client.connection.async_service import AsyncService
from steward_client.schedules import calls
from steward_client.schedules.types import Schedule


class AsyncScheduleMethods(AsyncService):
    """Makes, shows and changes schedules of backups."""

    async def create_schedule(
        self,
        name: str,
        *,
        database: str = "",
        cron: str = "",
        time_zone: str = "UTC",
        interval_s: float = 0.0,
        jitter_s: float = 0.0,
        description: str = "",
        paused: bool = False,
        actor: str = "",
        timeout_s: float | None = None,
    ) -> Schedule:
        """Makes a schedule, by a cron expression or an interval.

        >>> await client.create_schedule("nightly", cron="30 2 * * *", time_zone="Europe/Berlin")  # doctest: +SKIP
        """
        message, _fields = calls.schedule_message(
            name,
            database=database,
            cron=cron,
            time_zone=time_zone,
            interval_s=interval_s,
            jitter_s=jitter_s,
            description=description,
            paused=paused,
        )
        return await self._connection.call(calls.create_schedule(message, actor), timeout_s)

    async def get_schedule(self, name: str, *, timeout_s: float | None = None) -> Schedule:
        """Returns one schedule, with its next and its last run."""
        return await self._connection.call(calls.get_schedule(name), timeout_s)

    def list_schedules(
        self, *, page_size: int = 0, timeout_s: float | None = None
    ) -> AsyncIterator[Schedule]:
        """Yields the schedules, by name."""
        return self._connection.items(calls.list_schedules(page_size), timeout_s)

    async def update_schedule(
        self,
        name: str,
        *,
        database: str | None = None,
        cron: str | None = None,
        time_zone: str | None = None,
        interval_s: float | None = None,
        jitter_s: float | None = None,
        description: str | None = None,
        paused: bool | None = None,
        actor: str = "",
        timeout_s: float | None = None,
    ) -> Schedule:
        """Changes what is given of a schedule; `paused` pauses or resumes it. Raises NotNow for a configured one."""
        message, fields = calls.schedule_message(
            name,
            database=database,
            cron=cron,
            time_zone=time_zone,
            interval_s=interval_s,
            jitter_s=jitter_s,
            description=description,
            paused=paused,
        )
        call = calls.update_schedule(message, fields, actor)
        return await self._connection.call(call, timeout_s)

    async def delete_schedule(
        self, name: str, *, actor: str = "", timeout_s: float | None = None
    ) -> None:
        """Deletes a schedule; a backup that it has begun goes on."""
        await self._connection.call(calls.delete_schedule(name, actor), timeout_s)
