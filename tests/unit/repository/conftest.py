"""A local repository in a folder of the test's own, and leases on it whose clocks the test sets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from stewardd.repository.backend.folder.store import FolderStore
from stewardd.repository.lease import WriterLease


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "repository")


@pytest.fixture
async def acquire(
    store: FolderStore, tmp_path: Path
) -> AsyncIterator[Callable[..., Awaitable[WriterLease]]]:
    """Acquires leases, by the name of a data folder, that are closed at the end of the test."""
    async with AsyncExitStack() as stack:

        async def acquire(name: str = "data", **options: object) -> WriterLease:
            lease = await WriterLease.acquire(store, tmp_path / name, **options)  # type: ignore[arg-type]
            stack.push_async_callback(lease.close)
            return lease

        yield acquire


@pytest.fixture
async def lease(acquire: Callable[..., Awaitable[WriterLease]]) -> WriterLease:
    return await acquire()
