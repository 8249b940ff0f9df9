"""A process with an operation that never ends by itself; it says its id, and goes on until it is told or killed."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

from stewardd import telemetry
from stewardd.operations.operations import Operations
from stewardd.operations.running import OperationContext
from stewardd.repository.backend.folder.store import FolderStore
from stewardd.repository.lease import WriterLease


async def count(handle: OperationContext) -> dict[str, Any]:
    for number in range(1_000_000):
        handle.report({"number": number})
        await asyncio.sleep(0.01)
    return {}


async def main(root: Path, data_dir: Path) -> None:
    store = FolderStore(root)
    lease = await WriterLease.acquire(store, data_dir)
    operations = Operations(store, lease)
    started = await operations.start("Count", {"to": 1_000_000}, count)
    print(started.id, flush=True)
    ended = await operations.wait(started.id, 600)
    assert ended.error is not None
    print(ended.error.reason, flush=True)
    await operations.close()
    await lease.close()


if __name__ == "__main__":
    telemetry.configure("warning", "json")  # to stderr: stdout is for who started this
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
