"""Each lane runs its own number of operations and lets its own number wait, whatever the other lanes do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from stewardd.errors import Exhausted
from stewardd.operations.operations import Operations
from stewardd.operations.running import OperationContext

pytestmark = pytest.mark.asyncio

Daemon = Callable[..., Awaitable[Operations]]


async def forever(handle: OperationContext) -> dict[str, Any]:
    await asyncio.sleep(3600)
    return {}


async def test_no_more_run_at_once_than_may_and_no_more_wait(daemon: Daemon) -> None:
    operations = await daemon("a", max_running=2, max_queued=3)
    running = most = 0
    go = asyncio.Event()

    async def work(handle: OperationContext) -> dict[str, Any]:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await go.wait()
        await asyncio.sleep(0.02)
        running -= 1
        return {}

    started = [await operations.start("k", {}, work) for _ in range(5)]
    with pytest.raises(Exhausted, match="5 operations"):
        await operations.start("k", {}, work)
    go.set()
    for each in started:
        assert (await operations.wait(each.id, 5)).response == {}
    assert most == 2
    await operations.start("k", {}, work)


async def test_a_lane_may_have_a_number_of_its_own(daemon: Daemon) -> None:
    operations = await daemon("a", max_running=2, max_running_by_lane={"backup": 1})
    begun: asyncio.Queue[str] = asyncio.Queue()

    def work_of(name):
        async def work(handle):
            begun.put_nowait(name)
            return await forever(handle)

        return work

    first = await operations.start("k", {}, work_of("backup 1"), lane="backup")
    await operations.start("k", {}, work_of("backup 2"), lane="backup")
    await operations.start("k", {}, work_of("row 1"), lane="quarantine")
    await operations.start("k", {}, work_of("row 2"), lane="quarantine")
    assert sorted([await begun.get() for _ in range(3)]) == ["backup 1", "row 1", "row 2"]
    used = {
        name: (each.queued, each.running, each.slots) for name, each in operations.lanes().items()
    }
    assert used.pop("backup") == (1, 1, 1)
    assert used.pop("quarantine") == (0, 2, 2)
    assert len(used) > 2
    assert set(used.values()) == {(0, 0, 2)}
    await operations.cancel(first.id)
    assert await begun.get() == "backup 2"


async def test_a_lane_that_is_full_leaves_the_others_alone(daemon: Daemon) -> None:
    operations = await daemon("a", max_running=1, max_queued=2)
    for _ in range(3):
        await operations.start("k", {}, forever, lane="verification")
    with pytest.raises(Exhausted, match="3 operations of the lane 'verification'"):
        await operations.start("k", {}, forever, lane="verification")

    async def correct(handle: OperationContext) -> dict[str, Any]:
        return {"rows": 1}

    started = await operations.start("k", {}, correct, lane="quarantine")
    assert (await operations.wait(started.id, 5)).response == {"rows": 1}
    used = operations.lanes()["verification"]
    assert (used.queued, used.running, used.slots) == (2, 1, 1)
