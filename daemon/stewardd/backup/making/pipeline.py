"""The daemon's side of a backup worker: hands it the job, and returns what it stored."""

from __future__ import annotations

from collections.abc import Callable

from stewardd.backup.making.protocol import (
    MESSAGES,
    DumpJob,
    DumpStarted,
    DumpStored,
    WorkerEvent,
)
from stewardd.backup.worker.process import WorkerTask, run_worker
from stewardd.errors import ToolFailed

OnEvent = Callable[[WorkerEvent], None]
_MODULE = "stewardd.backup.making.worker"


async def run_dump(job: DumpJob, on_event: OnEvent) -> tuple[DumpStarted, DumpStored]:
    """Runs one job to its end; neither the worker nor its pg_dump is alive afterwards.

    Raises: what the worker raised, ToolFailed, Exhausted.
    """
    began: list[DumpStarted] = []

    def hear(event: WorkerEvent) -> None:
        if isinstance(event, DumpStarted):
            began.append(event)
        on_event(event)

    task = WorkerTask(
        _MODULE, MESSAGES, job, DumpStored, job.called, job.max_duration_s, job.secrets
    )
    stored = await run_worker(task, hear)
    if not began:
        raise ToolFailed(f"the worker of {job.called} ended before it had begun")
    return began[0], stored
