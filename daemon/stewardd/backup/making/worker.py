"""The process that makes one backup's data: `python -m stewardd.backup.making.worker`, started by the daemon.

It stores segments and nothing else: only the daemon, which holds the lease, makes a backup exist. It dies with the
daemon, and pg_dump dies with it.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from stewardd.backup.making.dump_worker import DumpWorker, Emit
from stewardd.backup.making.protocol import MESSAGES, DumpJob, DumpStored
from stewardd.backup.worker.serving import run
from stewardd.memory import GIVE_BACK_BUFFERS, tune_allocator
from stewardd.repository.backend.all import open_store


async def make(job: DumpJob, emit: Emit) -> DumpStored:
    """Does the job."""
    return await DumpWorker(job, open_store(job.store_url, job.store_options), emit).run()


def run_as_batch() -> None:
    """Makes this process, and pg_dump with it, interrupt no other when there is something to do, where Linux lets it.

    Packing and pg_dump wait for each other and for the server all the time. As batch work they change places a seventh
    as often: 21,000 times and not 154,000 in a backup of 2 GiB.
    """
    if sys.platform == "linux":
        with suppress(PermissionError):
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


if __name__ == "__main__":
    tune_allocator(GIVE_BACK_BUFFERS)
    run_as_batch()
    sys.exit(run(MESSAGES, make, lambda job: job.niceness))
