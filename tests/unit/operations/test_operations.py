"""An operation is started, seen, cancelled and ended once, by whichever daemon, and never lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from itertools import pairwise
from typing import Any

import pytest
from stewardd.errors import (
    InvalidRequest,
    OperationNotFound,
    RepositoryDown,
    StorageFull,
    ToolFailed,
    Unavailable,
)
from stewardd.operations.documents import request_key
from stewardd.operations.operations import Operations
from stewardd.operations.running import OperationContext
from stewardd.repository.backend.folder.store import FolderStore
from stewardd.repository.identifiers import uuid7
from stewardd.repository.publication import fence

from tests.support.waiting import until

from .conftest import vanish

pytestmark = pytest.mark.asyncio

Daemon = Callable[..., Awaitable[Operations]]


async def forever(handle: OperationContext) -> dict[str, Any]:
    await asyncio.sleep(3600)
    return {}


async def quick(handle: OperationContext) -> dict[str, Any]:
    return {"name": "backups/1"}


async def test_an_operation_gives_its_response_to_every_daemon(daemon: Daemon) -> None:
    ours, theirs = await daemon("a"), await daemon("b")
    started = await ours.start("CreateBackup", {"database": "main"}, quick)
    assert (started.done, started.response, started.error) == (False, None, None)
    state = await ours.wait(started.id, 5)
    assert (state.done, state.response, state.error) == (True, {"name": "backups/1"}, None)
    assert (state.kind, state.metadata) == ("CreateBackup", {"database": "main"})
    assert state.create_time <= state.update_time
    assert await theirs.get(started.id) == await ours.get(started.id)
    assert (await theirs.get(started.id)).response == {"name": "backups/1"}


async def test_progress_overlays_the_metadata_and_reaches_other_daemons(daemon: Daemon) -> None:
    ours, theirs = await daemon("a"), await daemon("b")
    go = asyncio.Event()

    async def work(handle: OperationContext) -> dict[str, Any]:
        for number in range(100):
            handle.report({"phase": "DUMPING", "dumped_bytes": number})
        await go.wait()
        handle.report({"phase": "DONE"})
        return {}

    started = await ours.start("CreateBackup", {"database": "main", "phase": "QUEUED"}, work)

    async def seen() -> bool:
        return (await theirs.get(started.id)).metadata.get("dumped_bytes") == 99

    await until(seen)
    go.set()
    state = await theirs.wait(started.id, 5)
    assert state.metadata == {"database": "main", "phase": "DONE", "dumped_bytes": 99}
    assert state.done


async def test_progress_is_written_no_more_often_than_the_attendant_comes_by(
    operations: Operations, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = 0
    put_progress = operations._documents.put_progress

    async def count(*arguments: Any) -> None:
        nonlocal written
        written += 1
        await put_progress(*arguments)

    monkeypatch.setattr(operations._documents, "put_progress", count)

    async def work(handle: OperationContext) -> dict[str, Any]:
        for number in range(300):
            handle.report({"number": number})
            await asyncio.sleep(0.001)
        return {}

    started = await operations.start("k", {}, work)
    await operations.wait(started.id, 5)
    assert 1 <= written <= 15


async def test_a_failure_keeps_its_reason_message_and_hint(operations: Operations) -> None:
    async def work(handle: OperationContext) -> dict[str, Any]:
        raise ToolFailed("pg_dump exited with 1", hint="look at the server")

    started = await operations.start("k", {}, work)
    state = await operations.wait(started.id, 5)
    assert state.response is None
    assert state.error is not None
    assert (state.error.reason, state.error.message, state.error.hint) == (
        "TOOL_FAILED",
        "pg_dump exited with 1",
        "look at the server",
    )


@pytest.mark.parametrize("response", [None, {"a": object()}, {"a": float("nan")}])
async def test_an_unexpected_end_is_a_failure_that_tells_nothing_of_its_inside(
    operations: Operations, response: Any
) -> None:
    async def work(handle: OperationContext) -> dict[str, Any]:
        if response is None:
            raise RuntimeError("postgresql://user:secret@host")
        return response  # type: ignore[no-any-return]

    started = await operations.start("k", {}, work)
    state = await operations.wait(started.id, 5)
    assert state.done
    assert state.error is not None
    assert state.error.reason == "INTERNAL"
    assert "secret" not in repr(state)


@pytest.mark.parametrize("asker", ["a", "b"])
async def test_any_daemon_may_cancel(daemon: Daemon, asker: str) -> None:
    daemons = {"a": await daemon("a"), "b": await daemon("b")}
    cleaned = asyncio.Event()

    async def work(handle: OperationContext) -> dict[str, Any]:
        try:
            return await forever(handle)
        finally:
            assert handle.cancelled.is_set()
            cleaned.set()

    started = await daemons["a"].start("k", {}, work)
    await asyncio.sleep(0.02)
    await daemons[asker].cancel(started.id)
    await daemons[asker].cancel(started.id)
    for each in daemons.values():
        state = await each.wait(started.id, 5)
        assert state.error is not None
        assert state.error.reason == "CANCELLED"
    assert cleaned.is_set()


async def test_what_is_done_stays_as_it_is(daemon: Daemon) -> None:
    ours, theirs = await daemon("a"), await daemon("b")
    started = await ours.start("k", {}, quick)
    before = await ours.wait(started.id, 5)
    await ours.cancel(started.id)
    await theirs.cancel(started.id)
    await asyncio.sleep(0.2)
    assert await theirs.get(started.id) == before


async def test_work_that_ends_well_although_it_was_cancelled_has_ended_well(
    operations: Operations,
) -> None:
    async def work(handle: OperationContext) -> dict[str, Any]:
        try:
            return await forever(handle)
        except asyncio.CancelledError:
            return {"name": "published just before"}

    started = await operations.start("k", {}, work)
    await asyncio.sleep(0.02)
    await operations.cancel(started.id)
    assert (await operations.wait(started.id, 5)).response == {"name": "published just before"}


async def test_what_waits_for_its_turn_can_be_cancelled(daemon: Daemon) -> None:
    operations = await daemon("a", max_running=1)
    first = await operations.start("k", {}, forever)
    second = await operations.start("k", {}, forever)
    await operations.cancel(second.id)
    state = await operations.wait(second.id, 5)
    assert state.error is not None
    assert state.error.reason == "CANCELLED"
    assert not (await operations.get(first.id)).done


async def test_waiting_ends_with_the_time(operations: Operations) -> None:
    started = await operations.start("k", {}, forever)
    loop = asyncio.get_running_loop()
    before = loop.time()
    assert not (await operations.wait(started.id, 0.2)).done
    assert 0.15 < loop.time() - before < 2
    assert not (await operations.wait(started.id, 0)).done


@pytest.mark.parametrize("watcher", ["a", "b"])
async def test_a_watch_begins_at_once_follows_and_ends(daemon: Daemon, watcher: str) -> None:
    daemons = {"a": await daemon("a"), "b": await daemon("b")}
    steps = [asyncio.Event() for _ in range(3)]

    async def work(handle: OperationContext) -> dict[str, Any]:
        for number, step in enumerate(steps):
            await step.wait()
            handle.report({"number": number})
        return {}

    started = await daemons["a"].start("k", {}, work)
    seen = []
    async with asyncio.timeout(10):
        async for state in daemons[watcher].watch(started.id):
            seen.append(state)
            if len(seen) <= len(steps):
                steps[len(seen) - 1].set()
    assert [state.metadata.get("number") for state in seen[:3]] == [None, 0, 1]
    assert [state.done for state in seen] == [False] * (len(seen) - 1) + [True]
    assert all(one != other for one, other in pairwise(seen))


async def test_the_end_is_told_at_once_however_seldom_progress_is(daemon: Daemon) -> None:
    operations = await daemon("a", watch_interval_s=3600)
    going_on = asyncio.Event()

    async def work(_: OperationContext) -> dict[str, Any]:
        await going_on.wait()
        return {"is": "done"}

    started = await operations.start("k", {}, work)
    waiting = asyncio.create_task(operations.wait(started.id, 3600))
    async with asyncio.timeout(10), aclosing(operations.watch(started.id)) as states:
        assert not (await anext(states)).done
        going_on.set()
        assert (await anext(states)).response == {"is": "done"}
        assert (await waiting).done


@pytest.mark.parametrize("watcher", ["a", "b"])
async def test_a_daemon_that_stops_lets_go_of_who_watches_and_who_waits(
    daemon: Daemon, watcher: str
) -> None:
    daemons = {"a": await daemon("a"), "b": await daemon("b")}
    started = await daemons["a"].start("k", {}, forever)
    waiting = asyncio.create_task(daemons[watcher].wait(started.id, 60))
    watch = daemons[watcher].watch(started.id)
    async with asyncio.timeout(10):
        assert not (await anext(watch)).done
        daemons[watcher].announce_stop()
        with pytest.raises(Unavailable, match="stopping"):
            while True:
                await anext(watch)
        assert not (await waiting).done
    assert not (await daemons["a"].get(started.id)).done


@pytest.mark.parametrize(
    "identifier", ["01a22c95-c8d7-7dbf-882f-9a66f329c4a8", "no-id", "../../etc/passwd", ""]
)
async def test_an_operation_that_is_not_there_is_not_found(
    operations: Operations, identifier: str
) -> None:
    for call in (operations.get, operations.cancel):
        with pytest.raises(OperationNotFound):
            await call(identifier)
    with pytest.raises(OperationNotFound):
        await operations.wait(identifier, 1)
    with pytest.raises(OperationNotFound):
        await anext(operations.watch(identifier))


async def test_a_listing_is_newest_first_and_pages_of_it_fit_together(daemon: Daemon) -> None:
    ours, theirs = await daemon("a"), await daemon("b")
    done = [(await ours.start("k", {}, quick)).id for _ in range(5)]
    for identifier in done:
        await ours.wait(identifier, 5)
        await asyncio.sleep(0.002)
    running = (await theirs.start("k", {}, forever)).id
    for each in (ours, theirs):
        found, token = [], ""
        while True:
            page = await each.list(page_size=2, page_token=token)
            found += page.items
            if not (token := page.next_page_token):
                break
        assert sorted(state.id for state in found) == sorted([*done, running])
        assert [state.id for state in found] == sorted((s.id for s in found), reverse=True)
        assert [state.id for state in found if not state.done] == [running]
    with pytest.raises(InvalidRequest):
        await ours.list(page_size=2, page_token="nonsense")


async def test_what_a_dead_daemon_left_is_abandoned_for_everybody(daemon: Daemon) -> None:
    dead, other = await daemon("a"), await daemon("b")
    started = await dead.start("k", {"database": "main"}, forever)
    await vanish(dead)
    assert not (await other.get(started.id)).done  # its lease may yet be renewed
    restarted = await daemon("a")
    for each in (restarted, other):
        state = await each.get(started.id)
        assert state.error is not None
        assert state.error.reason == "OPERATION_ABANDONED"
        assert state.metadata == {"database": "main"}
    assert await restarted.sweep() == []  # being read has ended it


async def test_the_sweep_ends_what_nobody_reads_and_says_so(
    daemon: Daemon, store: FolderStore
) -> None:
    dead = await daemon("a")
    started = [(await dead.start("k", {}, forever)).id for _ in range(3)]
    await vanish(dead)
    restarted = await daemon("a")
    live = await restarted.start("k", {}, forever)
    assert sorted(await restarted.sweep()) == sorted(started)
    assert await restarted.sweep() == []
    assert not (await restarted.get(live.id)).done
    marks = [each.key async for each in store.list("leases") if "/operations/" in each.key]
    assert [live.id in mark for mark in marks] == [True]


async def test_a_result_that_an_owner_wrote_before_it_died_stands(daemon: Daemon) -> None:
    dead = await daemon("a")
    started = await dead.start("k", {}, quick)
    await dead.wait(started.id, 5)
    await vanish(dead)
    restarted = await daemon("a")
    assert await restarted.sweep() == []
    assert (await restarted.get(started.id)).response == {"name": "backups/1"}


async def test_closing_cancels_what_runs_and_writes_its_results(daemon: Daemon) -> None:
    ours, theirs = await daemon("a"), await daemon("b")
    started = [(await ours.start("k", {}, forever)).id for _ in range(4)]
    await ours.close(5)
    for identifier in started:
        state = await theirs.get(identifier)
        assert state.error is not None
        assert (state.error.reason, state.error.message) == (
            "DAEMON_STOPPING",
            "the daemon is stopping",
        )
    with pytest.raises(Unavailable):
        await ours.start("k", {}, forever)
    await ours.close(5)


async def test_closing_does_not_wait_for_ever(operations: Operations) -> None:
    async def deaf(handle: OperationContext) -> dict[str, Any]:
        while True:
            try:
                await asyncio.sleep(0.3)
            except asyncio.CancelledError:
                if heard.is_set():
                    raise
                heard.set()

    heard = asyncio.Event()
    await operations.start("k", {}, deaf)
    await asyncio.sleep(0.02)
    async with asyncio.timeout(3):
        await operations.close(0.2)
    assert heard.is_set()


async def test_an_operation_whose_lease_is_lost_ends(daemon: Daemon) -> None:
    operations = await daemon("a")
    started = await operations.start("k", {}, forever)
    await asyncio.sleep(0.02)
    lease = operations._lease
    lease._valid_until = float("-inf")
    await lease._beat()
    state = await operations.wait(started.id, 5)
    assert state.error is not None
    assert state.error.reason == "LEASE_LOST"


class Flaky(FolderStore):
    """A store whose puts of one file fail for a while."""

    failing = ""
    failed = 0

    async def put(self, key: str, body: bytes, *, overwrite: bool = False) -> None:
        if self.failing and key.endswith(self.failing):
            self.failed += 1
            raise RepositoryDown(f"no answer at {key}")
        await super().put(key, body, overwrite=overwrite)


async def test_an_operation_is_not_done_before_its_result_is_durable(
    daemon: Daemon, store: FolderStore
) -> None:
    flaky = Flaky(store.root)
    operations = await daemon("a", store=flaky)
    flaky.failing = "result.json"
    started = await operations.start("k", {}, quick)
    assert not (await operations.wait(started.id, 0.5)).done
    assert flaky.failed > 0
    flaky.failing = ""
    assert (await operations.wait(started.id, 5)).response == {"name": "backups/1"}


async def test_progress_that_cannot_be_written_costs_the_operation_nothing(
    daemon: Daemon, store: FolderStore
) -> None:
    flaky = Flaky(store.root)
    operations = await daemon("a", store=flaky)
    flaky.failing = "progress.json"

    async def work(handle: OperationContext) -> dict[str, Any]:
        handle.report({"number": 1})
        while not flaky.failed:
            await asyncio.sleep(0.01)
        return {}

    started = await operations.start("k", {}, work)
    state = await operations.wait(started.id, 5)
    assert (state.response, state.metadata) == ({}, {"number": 1})


async def test_what_could_not_be_started_does_not_exist(daemon: Daemon, store: FolderStore) -> None:
    class Full(FolderStore):
        async def put(self, key: str, body: bytes, *, overwrite: bool = False) -> None:
            if key.endswith("request.json"):
                raise StorageFull("no room")
            await super().put(key, body, overwrite=overwrite)

    operations = await daemon("a", store=Full(store.root))
    identifier = uuid7()
    with pytest.raises(StorageFull):
        await operations.start("k", {}, quick, operation_id=identifier)
    with pytest.raises(OperationNotFound):
        await operations.get(identifier)
    assert await operations.sweep() == []
    assert [each.key async for each in store.list("leases") if "/operations/" in each.key] == []


async def test_a_caller_that_goes_away_while_starting_leaves_an_operation_that_runs_or_none(
    operations: Operations,
) -> None:
    for delay_s in (0.0, 0.001, 0.002, 0.004, 0.008):
        identifier = uuid7()
        caller = asyncio.create_task(operations.start("k", {}, quick, operation_id=identifier))
        await asyncio.sleep(delay_s)
        caller.cancel()
        await asyncio.wait([caller])
        try:
            state = await operations.wait(identifier, 5)
        except OperationNotFound:
            assert delay_s == 0.0
        else:
            assert state.response == {"name": "backups/1"}


async def test_a_fenced_operation_is_never_started(
    operations: Operations, store: FolderStore
) -> None:
    identifier = uuid7()
    assert await fence(store, request_key(identifier))
    with pytest.raises(Exception, match="already"):
        await operations.start("k", {}, quick, operation_id=identifier)
    with pytest.raises(OperationNotFound):
        await operations.get(identifier)
    assert (await operations.list(page_size=10)).items == []
