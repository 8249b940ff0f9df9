"""Of four daemons one runs what is due, a killed one is taken over, and a due moment has one completed backup."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from stewardd.backup.catalog import BackupCatalog
from stewardd.backup.schedules.schedule import RunOutcome
from stewardd.errors import (
    InvalidRequest,
    ScheduleConfigured,
    ScheduleExists,
    ScheduleInvalid,
    ScheduleNotFound,
)
from stewardd.repository.backend.folder.store import FolderStore

from tests.support.campaigns import FULL
from tests.support.scheduling import SchedulingDaemon, hourly

pytestmark = pytest.mark.asyncio

HERE = Path(__file__).resolve().parents[3]
NOON = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
Begin = Callable[..., Awaitable[SchedulingDaemon]]


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "repository")


@pytest.fixture
async def begin(store: FolderStore, tmp_path: Path) -> AsyncIterator[Begin]:
    async with AsyncExitStack() as stack:

        async def begin(name: str = "a", configured=None) -> SchedulingDaemon:
            daemon = await SchedulingDaemon.begin(store, tmp_path / name, NOON, configured)
            stack.push_async_callback(daemon.end)
            return daemon

        yield begin


async def backups(store: FolderStore) -> int:
    return len((await BackupCatalog(store).page(1000)).items)


async def test_of_four_daemons_one_runs_what_is_due(begin: Begin, store: FolderStore) -> None:
    daemons = [await begin(name) for name in "abcd"]
    await daemons[0].book.create("hourly", hourly(), paused=False, actor="mia")
    for hour in range(1, 6):
        for each in daemons:
            each.now = NOON + timedelta(hours=hour, seconds=hour)
        await asyncio.gather(*(each.look() for each in daemons))
        assert await backups(store) == hour
    assert sum(len(each.completed) for each in daemons) == 5
    last = await daemons[3].runs.last("hourly")
    assert last is not None
    assert (last.due, last.outcome) == (NOON + timedelta(hours=5), RunOutcome.COMPLETED)


async def test_missed_moments_are_one_run(begin: Begin, store: FolderStore) -> None:
    daemon = await begin()
    await daemon.book.create("hourly", hourly(), paused=False, actor="mia")
    daemon.now += timedelta(days=9, minutes=30)
    await daemon.look()
    await daemon.look()
    assert await backups(store) == 1
    last = await daemon.runs.last("hourly")
    assert last is not None
    assert last.due == NOON + timedelta(days=9)


async def test_nothing_is_due_before_the_schedule_was_there(
    begin: Begin, store: FolderStore
) -> None:
    daemon = await begin()
    daemon.now = NOON + timedelta(minutes=59)
    await daemon.book.create("hourly", hourly(), paused=False, actor="mia")
    await daemon.look()
    assert await backups(store) == 0


async def test_a_clock_that_is_stepped_back_and_forth_runs_no_moment_twice(
    begin: Begin, store: FolderStore
) -> None:
    daemons = [await begin(name) for name in "ab"]
    await daemons[0].book.create("hourly", hourly(), paused=False, actor="mia")
    seen = set()
    chance = random.Random(7)
    for _ in range(40):
        for each in daemons:
            each.now = NOON + timedelta(minutes=chance.randrange(-90, 600))
            due = each.now.replace(minute=0)
            if due > NOON:
                seen.add(due)
        await asyncio.gather(*(each.look() for each in daemons))
    assert await backups(store) == len(seen)


async def test_a_failed_run_is_not_made_again_before_the_next_is_due(
    begin: Begin, store: FolderStore
) -> None:
    daemon = await begin()
    await daemon.book.create("hourly", hourly(), paused=False, actor="mia")
    daemon.creation.failing = True
    daemon.now += timedelta(hours=1)
    for _ in range(3):
        await daemon.look()
    last = await daemon.runs.last("hourly")
    assert last is not None
    assert (last.outcome, last.reason, last.attempts) == (RunOutcome.FAILED, "DATABASE_DOWN", 1)
    assert daemon.completed == []
    daemon.creation.failing = False
    daemon.now += timedelta(hours=1)
    await daemon.look()
    assert await backups(store) == 1


async def test_what_a_daemon_had_begun_when_it_stopped_another_takes_up(
    begin: Begin, store: FolderStore
) -> None:
    first, second = await begin("a"), await begin("b")
    await first.book.create("hourly", hourly(), paused=False, actor="mia")
    first.now = second.now = NOON + timedelta(hours=1)
    first.creation.takes_s = 3600
    await first.runner.look()
    while not (await first.operations.list(page_size=1)).items:
        await asyncio.sleep(0.02)
    attending = asyncio.create_task(second.look())
    await asyncio.sleep(0.2)
    await first.runner.stop()
    await first.operations.close()
    await attending
    assert await backups(store) == 1
    last = await second.runs.last("hourly")
    assert last is not None
    assert (last.outcome, last.attempts) == (RunOutcome.COMPLETED, 2)


async def test_a_paused_schedule_does_not_make_up_for_what_came_meanwhile(
    begin: Begin, store: FolderStore
) -> None:
    daemon = await begin()
    await daemon.book.create("hourly", hourly(), paused=True, actor="mia")
    daemon.now += timedelta(hours=3)
    await daemon.look()
    assert (await daemon.book.get("hourly")).next_run(daemon.now) is None
    resumed = await daemon.book.update("hourly", lambda same: same, paused=False, actor="mia")
    assert resumed.next_run(daemon.now) == NOON + timedelta(hours=4)
    await daemon.look()
    assert await backups(store) == 0
    daemon.now += timedelta(hours=1)
    await daemon.look()
    assert await backups(store) == 1


async def test_schedules_are_made_changed_and_deleted(begin: Begin) -> None:
    daemon = await begin()
    made = await daemon.book.create("nightly", hourly(database=""), paused=False, actor="mia")
    assert made.definition.database == "main"
    again = await daemon.book.create("nightly", hourly(), paused=False, actor="mia")
    assert again == made
    with pytest.raises(ScheduleExists):
        await daemon.book.create("nightly", hourly(cron="0 2 * * *"), paused=False, actor="mia")
    changed = await daemon.book.update(
        "nightly", lambda before: replace(before, cron="0 2 * * *"), paused=None, actor="bo"
    )
    assert changed.definition.cron == "0 2 * * *"
    with pytest.raises(ScheduleInvalid, match="never comes"):
        await daemon.book.update(
            "nightly", lambda before: replace(before, cron="0 0 30 2 *"), paused=None, actor="bo"
        )
    with pytest.raises(ScheduleInvalid, match="time zone"):
        await daemon.book.create("x", hourly(time_zone="Nowhere"), paused=False, actor="bo")
    assert [each.name for each in await daemon.book.all()] == ["nightly"]
    await daemon.book.delete("nightly", "mia")
    assert await daemon.book.all() == []
    for act in (daemon.book.delete("nightly", "mia"), daemon.book.get("nightly")):
        with pytest.raises(ScheduleNotFound):
            await act
    assert (await daemon.book.create("nightly", hourly(), paused=True, actor="")).paused
    with pytest.raises(InvalidRequest):
        await daemon.book.get("../batches")


async def test_a_schedule_of_the_configuration_can_be_paused_and_no_more(
    begin: Begin, store: FolderStore
) -> None:
    configured = {"nightly": (hourly(), False)}
    first, second = await begin("a", configured), await begin("b", configured)
    (known,) = await first.book.all()
    assert (known.configured, known.paused, known.since) == (True, False, NOON)
    paused = await first.book.update("nightly", lambda same: same, paused=True, actor="mia")
    assert paused.paused
    assert (await second.book.get("nightly")).paused
    with pytest.raises(ScheduleConfigured):
        await first.book.delete("nightly", "mia")
    with pytest.raises(ScheduleConfigured):
        await first.book.update(
            "nightly", lambda before: replace(before, cron="1 1 * * *"), paused=None, actor="mia"
        )
    with pytest.raises(ScheduleExists):
        await first.book.create("nightly", hourly(cron="1 1 * * *"), paused=False, actor="mia")
    await second.book.update("nightly", lambda same: same, paused=False, actor="bo")
    first.now = second.now = NOON + timedelta(hours=1)
    await asyncio.gather(first.look(), second.look())
    assert await backups(store) == 1


def daemon_process(root: Path, data: Path, now: datetime, takes_s: float) -> subprocess.Popen[str]:
    words = [str(root), str(data), str(now.timestamp()), str(takes_s)]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.scheduling", *words],
        stdout=subprocess.PIPE,
        text=True,
        cwd=HERE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), *filter(None, sys.path)])},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begins\n"
    return process


@pytest.mark.campaign
async def test_a_claimant_that_is_killed_four_times_leaves_one_backup(
    begin: Begin, store: FolderStore, tmp_path: Path
) -> None:
    """Mid-backup too: what it had stored then never becomes a second backup of the same moment."""
    rounds = 10 if FULL else 2
    watcher = await begin("watcher")
    await watcher.book.create("hourly", hourly(), paused=False, actor="mia")
    chance = random.Random(20261130)
    for number in range(1, rounds + 1):
        now = NOON + timedelta(hours=number)
        for _ in range(4):
            process = daemon_process(store.root, tmp_path / "other", now, takes_s=0.4)
            time.sleep(chance.uniform(0, 0.6))
            process.kill()
            process.communicate()
        process = daemon_process(store.root, tmp_path / "other", now, takes_s=0.05)
        try:
            async with asyncio.timeout(60):
                while not await watcher.runs.has_run("hourly", now):
                    await asyncio.sleep(0.05)
        finally:
            process.kill()
            process.communicate()
        assert await backups(store) == number
        last = await watcher.runs.last("hourly")
        assert last is not None
        assert last.outcome is RunOutcome.COMPLETED
