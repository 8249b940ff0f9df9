"""A thing exists when its manifest does, however its publication ends."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from stewardd.errors import LeaseLost, ObjectExists, ObjectNotFound, RepositoryDown, StorageFull
from stewardd.repository.backend.folder.store import FolderStore
from stewardd.repository.catalog import Catalog
from stewardd.repository.identifiers import folder_of, uuid7
from stewardd.repository.lease import WriterLease
from stewardd.repository.publication import (
    FENCE,
    exists,
    fence,
    intents_folder,
    manifest_key,
    publish,
)
from stewardd.uninterrupted import uninterrupted

from tests.support.documents import ANYTHING

pytestmark = pytest.mark.asyncio


async def keys(store: FolderStore) -> list[str]:
    """Every key but those of leases' own heartbeats."""
    found = [each.key async for each in store.list("")]
    return [key for key in found if not key.endswith("/heartbeat.json")]


async def make(
    store: FolderStore, lease: WriterLease, identifier: str, manifest: dict[str, int]
) -> None:
    """Publishes a batch with a report."""
    async with publish(store, lease, "batches", identifier) as draft:
        await store.put(draft.key("report.json"), b"{}")
        await draft.commit(ANYTHING.encode(manifest))


class Failing(FolderStore):
    """A store whose puts of manifests fail: before they are done, or after."""

    def __init__(self, root: Path, error: Exception, *, done: bool) -> None:
        super().__init__(root)
        self.error = error
        self.done = done

    async def put(self, key: str, body: bytes, *, overwrite: bool = False) -> None:
        if key.endswith("/manifest.json") and body:
            if self.done:
                await super().put(key, body, overwrite=overwrite)
            raise self.error
        await super().put(key, body, overwrite=overwrite)


async def test_what_is_committed_exists_and_its_intent_is_gone(
    store: FolderStore, lease: WriterLease
) -> None:
    identifier = uuid7()
    async with publish(store, lease, "batches", identifier) as draft:
        await store.put(draft.key("report.json"), b"{}")
        assert not await exists(store, draft.key("manifest.json"))
        await draft.commit(ANYTHING.encode({"rows": 3}))
    assert await Catalog(store, "batches", ANYTHING).get(identifier) == {"rows": 3}
    assert await keys(store) == [f"{draft.folder}/manifest.json", f"{draft.folder}/report.json"]


async def test_what_is_not_committed_leaves_nothing(store: FolderStore, lease: WriterLease) -> None:
    async with publish(store, lease, "batches", uuid7()) as draft:
        await store.put(draft.key("report.json"), b"{}")
    assert await keys(store) == []


async def test_what_fails_leaves_nothing(store: FolderStore, lease: WriterLease) -> None:
    async def work() -> None:
        async with publish(store, lease, "batches", uuid7()) as draft:
            await store.put(draft.key("report.json"), b"{}")
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        await work()
    assert await keys(store) == []
    assert lease.in_flight == set()


async def test_what_is_cancelled_leaves_nothing(store: FolderStore, lease: WriterLease) -> None:
    begun = asyncio.Event()

    async def work() -> None:
        async with publish(store, lease, "batches", uuid7()) as draft:
            await store.put(draft.key("report.json"), b"{}")
            begun.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(work())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await keys(store) == []


async def test_a_cancellation_during_the_commit_waits_for_its_outcome(
    store: FolderStore, lease: WriterLease
) -> None:
    for delay_s in (0.0, 0.0005, 0.001, 0.002, 0.004, 0.01):
        identifier = uuid7()

        async def work(identifier: str = identifier) -> None:
            async with publish(store, lease, "batches", identifier) as draft:
                await store.put(draft.key("report.json"), b"{}")
                await draft.commit(ANYTHING.encode({}))

        task = asyncio.create_task(work())
        await asyncio.sleep(delay_s)
        task.cancel()
        await asyncio.wait([task])
        found = [each.key async for each in store.list("batches") if identifier in each.key]
        assert len(found) in (0, 2), found
        assert [key for key in await keys(store) if key.startswith("leases")] == []


async def test_a_full_disk_at_the_manifest_leaves_nothing(tmp_path: Path) -> None:
    store = Failing(tmp_path / "repository", StorageFull("no room"), done=False)
    lease = await WriterLease.acquire(store, tmp_path / "data")
    with pytest.raises(StorageFull):
        await make(store, lease, uuid7(), {})
    assert await keys(store) == []
    await lease.close()


async def test_a_manifest_whose_answer_was_lost_exists(tmp_path: Path) -> None:
    store = Failing(tmp_path / "repository", RepositoryDown("no answer"), done=True)
    lease = await WriterLease.acquire(store, tmp_path / "data")
    identifier = uuid7()
    async with publish(store, lease, "batches", identifier) as draft:
        await draft.commit(ANYTHING.encode({"a": 1}))
    assert await Catalog(store, "batches", ANYTHING).get(identifier) == {"a": 1}
    await lease.close()


async def test_a_manifest_that_may_yet_come_keeps_its_data_for_the_sweep(tmp_path: Path) -> None:
    store = Failing(tmp_path / "repository", RepositoryDown("no answer"), done=False)
    lease = await WriterLease.acquire(store, tmp_path / "data")
    identifier = uuid7()
    with pytest.raises(RepositoryDown):
        await make(store, lease, identifier, {})
    assert await keys(store) == [
        f"{folder_of('batches', identifier)}/report.json",
        f"{intents_folder(lease.ref)}/batches/{identifier}.json",
    ]
    assert lease.in_flight == set()
    await lease.close()


async def test_a_repeated_put_that_finds_its_own_manifest_has_won(
    store: FolderStore, lease: WriterLease
) -> None:
    async with publish(store, lease, "batches", uuid7()) as draft:
        await store.put(draft.key("manifest.json"), b'{"a":1}\n')
        await draft.commit(ANYTHING.encode({"a": 1}))
    assert draft.published


async def test_an_identifier_used_again_costs_its_first_bearer_nothing(
    store: FolderStore, lease: WriterLease
) -> None:
    identifier = uuid7()
    await make(store, lease, identifier, {"a": 1})
    before = await keys(store)
    with pytest.raises(ObjectExists):
        await make(store, lease, identifier, {"a": 2})

    async def commit_at_once() -> None:
        async with publish(store, lease, "batches", identifier) as second:
            await second.commit(ANYTHING.encode({"a": 2}))

    with pytest.raises(ObjectExists):
        await commit_at_once()
    assert await Catalog(store, "batches", ANYTHING).get(identifier) == {"a": 1}
    assert await keys(store) == before


async def test_a_fenced_writer_publishes_nothing(store: FolderStore, lease: WriterLease) -> None:
    identifier = uuid7()
    assert await fence(store, manifest_key("batches", identifier))
    with pytest.raises(LeaseLost, match="given up"):
        await make(store, lease, identifier, {})
    with pytest.raises(ObjectNotFound):
        await Catalog(store, "batches", ANYTHING).get(identifier)


async def test_a_fence_comes_too_late_for_what_exists(
    store: FolderStore, lease: WriterLease
) -> None:
    identifier = uuid7()
    async with publish(store, lease, "batches", identifier) as draft:
        await draft.commit(ANYTHING.encode({}))
    assert not await fence(store, manifest_key("batches", identifier))
    assert await exists(store, manifest_key("batches", identifier))


async def test_a_fence_may_be_put_twice(store: FolderStore) -> None:
    key = manifest_key("batches", uuid7())
    assert await fence(store, key)
    assert await fence(store, key)
    assert await store.get(key) == FENCE
    assert not await exists(store, key)


async def test_an_uninterrupted_work_ends_before_the_cancellation_is_raised() -> None:
    ended: list[str] = []

    async def work() -> str:
        await asyncio.sleep(0.05)
        ended.append("work")
        return "result"

    assert await uninterrupted(work()) == "result"
    task = asyncio.create_task(uninterrupted(work()))
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == ["work", "work"]
