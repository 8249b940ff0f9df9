"""The schedule: the jobs that the builders added."""

from __future__ import annotations

from stewardd.app.assembly import Assembly
from stewardd.scheduler.scheduler import Scheduler


def start_schedule(assembly: Assembly) -> None:
    """Begins to run the jobs."""
    scheduler = Scheduler(assembly.jobs)
    scheduler.start()
    assembly.running.push_async_callback(scheduler.stop)
