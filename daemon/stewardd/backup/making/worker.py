"""The process that makes one backup's data: `python -m stewardd.backup.making.worker`, started by the daemon.

It stores segments and nothing else: only the daemon, which holds the lease, makes a backup exist. It dies with the
daemon, and pg_dump dies with it.
"""

from __future__ import annotations

import sys

from stewardd.backup.making.dump_worker import DumpWorker, Emit
from stewardd.backup.making.protocol import MESSAGES, DumpJob, DumpStored
from stewardd.backup.worker.serving import run
from stewardd.memory import GIVE_BACK_BUFFERS, tune_allocator
from stewardd.repository.backend.all import open_store


async def make(job: DumpJob, emit: Emit) -> DumpStored:
    """Does the job."""
    return await DumpWorker(job, open_store(job.store_url, job.store_options), emit).run()


if __name__ == "__main__":
    tune_allocator(GIVE_BACK_BUFFERS)
    sys.exit(run(MESSAGES, make, lambda job: job.niceness))
