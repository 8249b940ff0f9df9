"""A process that applies a retention to a repository once; its clock is a month ahead, so that every grace is over."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

from stewardd import telemetry
from stewardd.repository.backend.folder.store import FolderStore

from tests.support.backups import Keeper


async def main(root: Path) -> None:
    keeper = Keeper(FolderStore(root))
    print("begins", flush=True)
    await keeper.pruning.run()
    keeper.now += timedelta(days=3)
    await keeper.pruning.run()


if __name__ == "__main__":
    telemetry.configure("warning", "json")
    asyncio.run(main(Path(sys.argv[1])))
