"""The loop that runs jobs: what a job raises or how long it hangs keeps no other from running."""

import asyncio

import pytest
from stewardd.errors import RepositoryDown
from stewardd.scheduler.job import Job
from stewardd.scheduler.scheduler import Scheduler

SOON_S = 0.001


@pytest.mark.parametrize("error", [RepositoryDown("it does not answer"), ValueError("a mistake")])
async def test_a_job_that_fails_is_logged_by_its_name_and_runs_again(error, capsys):
    runs: asyncio.Queue[str] = asyncio.Queue()

    async def work():
        runs.put_nowait("run")
        raise error

    scheduler = Scheduler([Job("sweep", work, interval_s=SOON_S)])
    scheduler.start()
    for _ in range(3):
        await runs.get()
    await scheduler.stop()
    said = capsys.readouterr()
    assert "sweep" in said.out + said.err


async def test_a_job_that_hangs_keeps_no_other_from_running_and_is_never_run_twice_at_once():
    hangs: asyncio.Queue[str] = asyncio.Queue()
    runs: asyncio.Queue[str] = asyncio.Queue()

    async def hang():
        hangs.put_nowait("begun")
        await asyncio.Event().wait()

    async def work():
        runs.put_nowait("run")

    scheduler = Scheduler(
        [Job("hangs", hang, interval_s=SOON_S), Job("works", work, interval_s=SOON_S)]
    )
    scheduler.start()
    await hangs.get()
    for _ in range(5):
        await runs.get()
    await scheduler.stop()
    assert hangs.empty()


async def test_stopping_cancels_a_job_and_waits_for_its_end():
    begun, ended = asyncio.Event(), []

    async def work():
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append("ended")

    scheduler = Scheduler([Job("long", work, interval_s=SOON_S)])
    scheduler.start()
    await begun.wait()
    await scheduler.stop()
    assert ended == ["ended"]


async def test_without_a_job_it_waits_until_it_is_stopped():
    scheduler = Scheduler([])
    scheduler.start()
    await asyncio.sleep(0)
    await scheduler.stop()
