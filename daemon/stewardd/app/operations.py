"""The operations: those of this daemon run, those of every daemon can be read, and those of the dead are ended."""

from __future__ import annotations

from stewardd.app.assembly import Assembly
from stewardd.app.repository import Repository
from stewardd.operations.operations import Operations
from stewardd.rpc.operations.servicer import OperationServicer, OperationsServicer
from stewardd.scheduler.job import Job


async def start_operations(assembly: Assembly, repository: Repository) -> Operations:
    """Starts them, and ends what dead daemons had begun. Raises: RepositoryDown."""
    settings = assembly.settings
    operations = Operations(
        repository.store,
        repository.lease,
        max_running=settings.operations.max_running,
        max_running_by_lane=settings.operations.max_running_by_lane,
        max_queued=settings.operations.max_queued,
    )
    assembly.running.push_async_callback(operations.close)
    assembly.metrics.add_operations(operations)
    await operations.sweep()

    async def sweep_once() -> None:
        await operations.sweep()

    assembly.jobs.append(
        Job("sweep of operations", sweep_once, settings.repository.sweep_interval_s)
    )
    assembly.servicers.extend([OperationsServicer(operations), OperationServicer(operations)])
    assembly.on_stop.append(operations.announce_stop)
    return operations
