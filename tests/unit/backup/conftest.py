"""Two repositories in folders, and a daemon's lease on the first."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from stewardd.repository.backend.folder.store import FolderStore
from stewardd.repository.claims import Claims
from stewardd.repository.lease import WriterLease


@pytest.fixture
def first(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "first")


@pytest.fixture
def second(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "second")


@pytest.fixture
async def claims(first: FolderStore, tmp_path: Path) -> AsyncIterator[Claims]:
    lease = await WriterLease.acquire(first, tmp_path / "data")
    yield Claims(first, lease)
    await lease.close()


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    path = tmp_path / "scratch"
    path.mkdir()
    return path
