"""Runs the jobs when they are due, each as a task of its own: one that hangs does not keep the others waiting.

A job that fails is logged with its name and planned again; nothing that it raises ends the scheduler.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

from stewardd.errors import StewardError
from stewardd.scheduler.job import Job
from stewardd.scheduler.schedule import Schedule
from stewardd.telemetry import logger

log = logger("scheduler")


class Scheduler:
    """Start it once, then stop it once."""

    def __init__(
        self,
        jobs: Iterable[Job],
        *,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._clock = clock
        self._schedule = Schedule(jobs, clock(), chance)
        self._job_ended = asyncio.Event()
        self._runs: set[asyncio.Task[None]] = set()
        self._loop: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to run jobs; the first waits run since the scheduler was made."""
        self._loop = asyncio.create_task(self._run_jobs())

    async def stop(self) -> None:
        """Cancels the jobs that run, and waits until they have ended."""
        tasks = [*self._runs, *([self._loop] if self._loop is not None else [])]
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task

    async def _run_jobs(self) -> None:
        while True:
            for job in self._schedule.take_due(self._clock()):
                run = asyncio.create_task(self._run(job))
                self._runs.add(run)
                run.add_done_callback(self._runs.discard)
            due_s = self._schedule.next_due_s
            # A job that ends may be due again before those that wait.
            self._job_ended.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(None if due_s is None else due_s - self._clock()):
                    await self._job_ended.wait()

    async def _run(self, job: Job) -> None:
        failed = True
        try:
            await job.work()
            failed = False
        except StewardError as error:
            log.warning("job not finished", job=job.name, reason=error.reason, error=error.message)
        except (
            Exception
        ) as error:  # the edge of a background loop: without it the job would never run again
            log.error("job failed unexpectedly", job=job.name, exc_info=error)
        finally:
            self._schedule.ended(job, self._clock(), failed=failed)
            self._job_ended.set()
