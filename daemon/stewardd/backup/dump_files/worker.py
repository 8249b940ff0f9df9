"""The process that reads one dump file: `python -m stewardd.backup.dump_files.worker`, started by the daemon."""

from __future__ import annotations

import sys

from stewardd.backup.dump_files.file_worker import DumpFileWorker
from stewardd.backup.dump_files.protocol import (
    MESSAGES,
    DumpFileJob,
    FileExamined,
    FileRestored,
)
from stewardd.backup.worker.serving import Emit, run


async def read(job: DumpFileJob, emit: Emit) -> FileExamined | FileRestored:
    """Does the job."""
    return await DumpFileWorker(job, emit).run()


if __name__ == "__main__":
    sys.exit(run(MESSAGES, read))
