"""Operations of one daemon, or of several, on one local repository."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from stewardd.operations.operations import Operations
from stewardd.operations.running import PollIntervals
from stewardd.repository.backend.folder.store import FolderStore
from stewardd.repository.lease import WriterLease

PACE = PollIntervals(poll_s=0.05, longest_retry_s=0.1)


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "repository")


@pytest.fixture
async def daemon(
    store: FolderStore, tmp_path: Path
) -> AsyncIterator[Callable[..., Awaitable[Operations]]]:
    """Makes the operations of a daemon, by the name of its data folder; `store=` is what it sees the repository by."""
    async with AsyncExitStack() as stack:

        async def daemon(name: str, store: FolderStore = store, **options: Any) -> Operations:
            lease = await WriterLease.acquire(store, tmp_path / name)
            stack.push_async_callback(lease.close)
            pace = {"intervals": PACE, "watch_interval_s": 0.02, "poll_s": 0.05}
            operations = Operations(store, lease, **{**pace, **options})
            stack.push_async_callback(operations.close)
            return operations

        yield daemon


@pytest.fixture
async def operations(daemon: Callable[..., Awaitable[Operations]]) -> Operations:
    return await daemon("data")


async def vanish(operations: Operations) -> None:
    """Takes a daemon away without a word, as SIGKILL does, and frees its data folder."""
    lease = operations._lease
    lease._heart.cancel()  # type: ignore[union-attr]
    for running in list(operations._running.values()):
        running._documents = None  # type: ignore[assignment]  # it writes nothing any more
    for keeper in list(operations._keepers):
        keeper.cancel()
    operations._keepers.clear()
    lease._valid_until = float("-inf")
    lease._identity.release()
