"""What the dead leave is swept, in an order that is safe at any crash; what lives is let be."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from stewardd.errors import LeaseLost
from stewardd.repository.backend.folder.store import FolderStore
from stewardd.repository.catalog import Catalog
from stewardd.repository.identifiers import uuid7
from stewardd.repository.lease import WriterLease
from stewardd.repository.liveness import Liveness
from stewardd.repository.publication import exists, intents_folder, publish
from stewardd.repository.sweep import Intent, Sweep, Swept, why_sweep

from tests.support.documents import ANYTHING

Acquire = Callable[..., Awaitable[WriterLease]]

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("owner", "ours", "in_flight", "age_s", "swept"),
    [
        (Liveness.ALIVE, False, False, 1e6, False),
        (Liveness.ALIVE, True, True, 1e6, False),
        (Liveness.ALIVE, True, False, 1e6, True),
        (Liveness.ALIVE, True, False, 599, False),
        (Liveness.EXPIRED, False, False, 599, False),
        (Liveness.EXPIRED, False, False, 600, True),
        (Liveness.EXPIRED, True, True, 1e6, False),
        (Liveness.DEAD, False, False, 0, True),
        (Liveness.DEAD, True, True, 0, False),
    ],
)
def test_an_intent_is_swept_only_when_nobody_can_be_at_it(
    owner: Liveness, ours: bool, in_flight: bool, age_s: float, swept: bool
) -> None:
    intent = Intent("key", "batches", uuid7(), NOW - timedelta(seconds=age_s))
    reason = why_sweep(intent, owner=owner, ours=ours, in_flight=in_flight, now=NOW, min_age_s=600)
    assert (reason is not None) is swept


async def draft_and_die(store: FolderStore, data_dir: Path) -> tuple[WriterLease, str]:
    """Drafts a batch under a lease whose daemon then is gone without a word. What is returned must be kept."""
    lease = await WriterLease.acquire(store, data_dir)
    identifier = uuid7()
    context = publish(store, lease, "batches", identifier)
    draft = await context.__aenter__()
    await store.put(draft.key("report.json"), b"{}")
    lease._heart.cancel()  # type: ignore[union-attr]
    lease._identity.release()
    lease.kept = context  # type: ignore[attr-defined]  # collected as garbage it would clean up after itself
    return lease, identifier


async def keys(store: FolderStore, prefix: str) -> list[str]:
    return [each.key async for each in store.list(prefix)]


@pytest.mark.asyncio
async def test_a_restart_sweeps_what_was_half_done_and_says_so(
    store: FolderStore, acquire: Acquire, tmp_path: Path
) -> None:
    _dead, identifier = await draft_and_die(store, tmp_path / "data")
    sweep = Sweep(store, await acquire("data"))
    assert await sweep.run() == [Swept("batches", identifier, "its writer is dead")]
    assert [key.rpartition("/")[2] for key in await keys(store, "batches")] == ["manifest.json"]
    assert (await Catalog(store, "batches", ANYTHING).page(page_size=10)).entries == []
    assert await sweep.run() == []


@pytest.mark.asyncio
async def test_a_fence_and_its_intent_go_when_nobody_can_wake_any_more(
    store: FolderStore, acquire: Acquire, tmp_path: Path
) -> None:
    dead, _ = await draft_and_die(store, tmp_path / "data")
    lease = await acquire("data")
    await Sweep(store, lease).run()
    assert await keys(store, intents_folder(dead.ref)) != []
    await asyncio.sleep(0.05)  # the file system's clock ticks more coarsely than ours
    await Sweep(store, lease, min_age_s=0, keep_fences_s=0).run()
    assert await keys(store, "batches") == []
    assert await keys(store, dead.ref.folder) == []
    assert await keys(store, lease.ref.folder) == [lease.ref.heartbeat_key]


@pytest.mark.asyncio
async def test_what_a_straggler_writes_after_the_sweep_is_swept_as_well(
    store: FolderStore, acquire: Acquire, tmp_path: Path
) -> None:
    _dead, identifier = await draft_and_die(store, tmp_path / "data")
    sweep = Sweep(store, await acquire("data"))
    await sweep.run()
    folder = (await keys(store, "batches"))[0].rpartition("/")[0]
    await store.put(f"{folder}/records.jsonl", b"late")
    assert [each.identifier for each in await sweep.run()] == [identifier]
    assert await keys(store, "batches") == [f"{folder}/manifest.json"]


@pytest.mark.asyncio
async def test_a_live_draft_of_another_daemon_is_let_be(
    store: FolderStore, acquire: Acquire
) -> None:
    writer, sweeper = await acquire("a"), await acquire("b")
    async with publish(store, writer, "batches", uuid7()) as draft:
        await store.put(draft.key("report.json"), b"{}")
        assert await Sweep(store, sweeper, min_age_s=0).run() == []
        assert await Sweep(store, writer, min_age_s=0).run() == []
        await draft.commit(ANYTHING.encode({}))
    assert await exists(store, draft.key("manifest.json"))


@pytest.mark.asyncio
async def test_a_writer_that_wakes_after_the_sweep_publishes_nothing(
    store: FolderStore, acquire: Acquire
) -> None:
    asleep = await acquire("a", ttl_s=0.2, heartbeat_s=0.1, grace_s=0.1)
    sweeper = await acquire("b", grace_s=0.1)

    async def sleep_between_check_and_put() -> None:
        async with publish(store, asleep, "batches", uuid7()) as draft:
            await store.put(draft.key("report.json"), b"{}")
            asleep._heart.cancel()  # type: ignore[union-attr]
            await draft.check()
            await asyncio.sleep(0.6)
            swept = await Sweep(store, sweeper, min_age_s=0).run()
            assert [each.reason for each in swept] == ["its writer's lease has expired"]
            await draft._commit(b"{}\n")

    with pytest.raises(LeaseLost, match="while its writer paused"):
        await sleep_between_check_and_put()
    assert (await Catalog(store, "batches", ANYTHING).page(page_size=10)).entries == []


@pytest.mark.asyncio
async def test_what_was_published_outlives_its_writer(
    store: FolderStore, acquire: Acquire, tmp_path: Path
) -> None:
    dead, _identifier = await draft_and_die(store, tmp_path / "data")
    draft_folder = (await keys(store, "batches"))[0].rpartition("/")[0]
    await store.put(
        f"{draft_folder}/manifest.json", b"{}\n"
    )  # died between the manifest and the intent
    assert await Sweep(store, await acquire("data")).run() == []
    assert len(await keys(store, "batches")) == 2
    assert await keys(store, intents_folder(dead.ref)) == []


@pytest.mark.asyncio
async def test_two_sweeps_at_once_do_no_harm(
    store: FolderStore, acquire: Acquire, tmp_path: Path
) -> None:
    dead = []
    for number in range(5):
        dead.append(await draft_and_die(store, tmp_path / f"dead{number}"))
        await (await acquire(f"dead{number}")).close()
    a, b = await acquire("a"), await acquire("b")
    await asyncio.gather(*(Sweep(store, lease).run() for lease in (a, b) * 3))
    assert {key.rpartition("/")[2] for key in await keys(store, "batches")} == {"manifest.json"}


@pytest.mark.asyncio
async def test_a_beginning_lease_keeps_its_folder(store: FolderStore, acquire: Acquire) -> None:
    lease, other = await acquire("a"), await acquire("b")
    await store.delete(other.ref.heartbeat_key)
    await store.put(f"{other.ref.folder}/dead.json", b"{}")
    await Sweep(store, lease).run()
    assert await keys(store, other.ref.folder) != []
    await asyncio.sleep(0.05)
    await Sweep(store, lease, min_age_s=0).run()
    assert await keys(store, other.ref.folder) == []
