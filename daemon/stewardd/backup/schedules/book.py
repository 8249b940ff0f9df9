"""All schedules of a repository: those that calls made, and those of this daemon's configuration.

    schedules/<name>/000001.json …     numbered states, create-once; the last one counts

The create-once put of state n is the compare-and-swap, as it is of the states of backups. A schedule of the
configuration gets its first state from the daemon that knows it first: from then on its due moments count.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from stewardd.backup.schedules.schedule import (
    STORED_SCHEDULE,
    BackupSchedule,
    ScheduleDefinition,
    StoredSchedule,
    check_name,
)
from stewardd.errors import (
    Conflict,
    Corrupt,
    Exhausted,
    ObjectExists,
    ObjectNotFound,
    ScheduleConfigured,
    ScheduleExists,
    ScheduleNotFound,
)
from stewardd.repository.attempts import Overtaken, repeat_while_overtaken
from stewardd.repository.backend.store import Store
from stewardd.telemetry import logger

ROOT = "schedules"
MAX_SCHEDULES = 1000

_log = logger("schedules")
_NUMBER = re.compile(r"([0-9]{6})\.json")
_ATTEMPTS = 64
Schedules = list[BackupSchedule]


class ScheduleOvertaken(Overtaken):
    """Another writer changed the schedule."""


@dataclass(frozen=True, slots=True)
class _Numbered:
    number: int
    state: StoredSchedule | None


class ScheduleBook:
    """Reads and changes schedules. Raises: RepositoryDown; StorageFull where it writes, Corrupt where it reads one."""

    def __init__(
        self,
        store: Store,
        configured: Mapping[str, tuple[ScheduleDefinition, bool]],
        now: Callable[[], datetime],
        database_named: Callable[[str], str],
    ) -> None:
        self._store = store
        self._configured = dict(configured)
        self._now = now
        self._database_named = database_named
        self._known: dict[str, _Numbered] = {}

    async def all(self) -> Schedules:
        """Every schedule, by name; one that cannot be read is logged and left out."""
        newest: dict[str, int] = {}
        async for meta in self._store.list(ROOT):
            _, _, rest = meta.key.partition("/")
            name, _, file = rest.partition("/")
            if match := _NUMBER.fullmatch(file):
                newest[name] = int(match[1])
        found: list[BackupSchedule] = []
        for name in sorted({*newest, *self._configured}):
            try:
                numbered = await self._numbered(name, newest.get(name, 0))
            except Corrupt as error:
                _log.error("schedule left out", schedule=name, error=error.message)
                continue
            schedule = self._schedule(name, await self._adopted(name, numbered))
            if schedule is not None:
                found.append(schedule)
        return found

    async def get(self, name: str) -> BackupSchedule:
        """One schedule. Raises: ScheduleNotFound, InvalidRequest for what is no name."""
        schedule = self._schedule(name, await self._adopted(name, await self._read(name)))
        if schedule is None:
            raise ScheduleNotFound(f"there is no schedule {name}")
        return schedule

    async def create(
        self, name: str, definition: ScheduleDefinition, *, paused: bool, actor: str
    ) -> BackupSchedule:
        """Makes a schedule; the same one again is no error.

        Raises: ScheduleExists, ScheduleInvalid, DatabaseUnknown, Exhausted, InvalidRequest.
        """
        definition = self._checked(definition)
        if len(await self.all()) >= MAX_SCHEDULES:
            raise Exhausted(f"there are {MAX_SCHEDULES} schedules", hint="delete one first")

        def make(before: StoredSchedule | None) -> StoredSchedule | None:
            if name in self._configured or (before is not None and not before.deleted):
                if before is not None and before.definition == definition:
                    return None
                raise ScheduleExists(f"there is a schedule {name} already")
            return StoredSchedule(now := self._now(), now, actor, paused, definition=definition)

        return await self._change(name, make)

    async def update(
        self,
        name: str,
        change: Callable[[ScheduleDefinition], ScheduleDefinition],
        *,
        paused: bool | None,
        actor: str,
    ) -> BackupSchedule:
        """Changes a schedule, pauses or resumes it. What came while it was paused, or before the change, is not due.

        Raises: ScheduleNotFound, ScheduleConfigured, ScheduleInvalid, DatabaseUnknown, InvalidRequest.
        """

        def update(before: StoredSchedule | None) -> StoredSchedule | None:
            was = self._schedule(name, before)
            if was is None or before is None:
                raise ScheduleNotFound(f"there is no schedule {name}")
            definition = change(was.definition)
            is_changed = definition != was.definition
            if is_changed and was.configured:
                raise ScheduleConfigured(f"the schedule {name} stands in the configuration")
            if is_changed:
                definition = self._checked(definition)
            halted = was.paused if paused is None else paused
            if not is_changed and halted == was.paused:
                return None
            now = self._now()
            return replace(
                before,
                time=now,
                since=now if is_changed or was.paused else before.since,
                actor=actor,
                paused=halted,
                definition=None if was.configured else definition,
            )

        return await self._change(name, update)

    async def delete(self, name: str, actor: str) -> None:
        """Deletes a schedule; a backup that it has begun goes on. Raises: ScheduleNotFound, ScheduleConfigured."""

        def delete(before: StoredSchedule | None) -> StoredSchedule | None:
            if name in self._configured:
                raise ScheduleConfigured(f"the schedule {name} stands in the configuration")
            if before is None or before.deleted:
                raise ScheduleNotFound(f"there is no schedule {name}")
            return replace(before, time=self._now(), actor=actor, deleted=True, definition=None)

        await self._change_state(name, delete)

    def _checked(self, definition: ScheduleDefinition) -> ScheduleDefinition:
        definition = replace(definition, database=self._database_named(definition.database))
        definition.timing.check(self._now())
        return definition

    def _schedule(self, name: str, state: StoredSchedule | None) -> BackupSchedule | None:
        if name in self._configured:
            if state is None:
                return None
            return BackupSchedule(name, self._configured[name][0], True, state.paused, state.since)
        if state is None or state.deleted or state.definition is None:
            return None
        return BackupSchedule(name, state.definition, False, state.paused, state.since)

    async def _adopted(self, name: str, found: _Numbered) -> StoredSchedule | None:
        """The state of a schedule; one of the configuration that has none is known from now on."""
        if name not in self._configured or (found.state is not None and not found.state.deleted):
            return found.state
        now = self._now()
        state = StoredSchedule(now, now, "configuration", self._configured[name][1])
        try:
            return await self._commit(name, found, state)
        except ScheduleOvertaken:
            return (await self._read(name)).state

    async def _change(
        self, name: str, change: Callable[[StoredSchedule | None], StoredSchedule | None]
    ) -> BackupSchedule:
        await self._change_state(name, change)
        return await self.get(name)

    async def _change_state(
        self, name: str, change: Callable[[StoredSchedule | None], StoredSchedule | None]
    ) -> None:
        async def attempt() -> None:
            found = await self._read(name)
            await self._adopted(name, found)
            found = await self._read(name)
            after = change(found.state)
            if after is not None:
                await self._commit(name, found, after)

        await repeat_while_overtaken(
            attempt,
            ScheduleOvertaken,
            attempts=_ATTEMPTS,
            failure=Conflict("others change this schedule all the time"),
        )

    async def _read(self, name: str) -> _Numbered:
        number = 0
        async for meta in self._store.list(f"{ROOT}/{check_name(name)}"):
            if match := _NUMBER.fullmatch(meta.key.rpartition("/")[2]):
                number = int(match[1])
        return await self._numbered(name, number)

    async def _numbered(self, name: str, number: int) -> _Numbered:
        known = self._known.get(name)
        if known is not None and known.number == number:
            return known
        state = None
        if number:
            key = _key(name, number)
            try:
                state = STORED_SCHEDULE.decode(await self._store.get(key), key)
            except ObjectNotFound:
                raise Corrupt(f"{key} is gone") from None
        found = self._known[name] = _Numbered(number, state)
        return found

    async def _commit(self, name: str, after: _Numbered, state: StoredSchedule) -> StoredSchedule:
        key = _key(name, after.number + 1)
        try:
            await self._store.put(key, STORED_SCHEDULE.encode(state))
        except ObjectExists:
            raise ScheduleOvertaken from None
        return state


def _key(name: str, number: int) -> str:
    return f"{ROOT}/{name}/{number:06}.json"
