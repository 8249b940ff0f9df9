"""Operations of a daemon in another process: seen, cancelled, and ended when it is killed."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from stewardd.operations.operations import Operations
from stewardd.repository.backend.folder.store import FolderStore

pytestmark = pytest.mark.asyncio

PROGRAM = Path(__file__).parent / "working.py"

Daemon = Callable[..., Awaitable[Operations]]


@pytest.fixture
def other(store: FolderStore, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, str(PROGRAM), str(store.root), str(tmp_path / "other")],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    yield process
    process.kill()
    process.communicate()


def read_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


async def test_its_progress_is_watched_and_it_is_cancelled_within_seconds(
    other: subprocess.Popen[str], operations: Operations
) -> None:
    identifier = read_line(other)
    numbers = []
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(30):
        async for state in operations.watch(identifier):
            numbers.append(state.metadata.get("number", -1))
            if len(numbers) == 3:
                asked = loop.time()
                await operations.cancel(identifier)
    assert numbers == sorted(numbers)
    assert len(set(numbers)) >= 3
    assert state.error is not None
    assert state.error.reason == "CANCELLED"
    assert loop.time() - asked < 5
    assert read_line(other) == "CANCELLED"
    assert other.wait(30) == 0


async def test_it_is_abandoned_when_its_process_was_killed_and_started_again(
    other: subprocess.Popen[str], daemon: Daemon
) -> None:
    identifier = read_line(other)
    watcher = await daemon("watcher")
    assert not (await watcher.wait(identifier, 1.5)).done
    other.kill()
    other.wait()
    assert not (await watcher.get(identifier)).done
    restarted = await daemon("other")
    assert await restarted.sweep() == [identifier]
    state = await watcher.wait(identifier, 5)
    assert state.error is not None
    assert state.error.reason == "OPERATION_ABANDONED"
    assert state.metadata["to"] == 1_000_000
    assert state.metadata["number"] > 0  # as far as it had come when it was last heard of
