"""The process that restores one backup: `python -m stewardd.backup.restoring.worker`, started by the daemon."""

from __future__ import annotations

import sys

from stewardd.backup.restoring.protocol import MESSAGES, RestoreEnded, RestoreJob
from stewardd.backup.restoring.restore_worker import RestoreWorker
from stewardd.backup.worker.serving import Emit, run
from stewardd.repository.backend.all import open_store


async def restore(job: RestoreJob, emit: Emit) -> RestoreEnded:
    """Does the job."""
    return await RestoreWorker(job, open_store(job.store_url, job.store_options), emit).run()


if __name__ == "__main__":
    sys.exit(run(MESSAGES, restore))
