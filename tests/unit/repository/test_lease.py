"""A writer gives up its lease before anybody else may think it dead, and goes on under another one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from stewardd.errors import ConfigurationError, LeaseLost, RepositoryDown
from stewardd.repository.backend.folder.store import FolderStore
from stewardd.repository.backend.store import ObjectMeta
from stewardd.repository.identifiers import uuid7
from stewardd.repository.lease import WriterLease
from stewardd.repository.liveness import Heartbeat, LeaseRef, Liveness, liveness_of
from stewardd.repository.publication import publish

from tests.support.documents import ANYTHING

Acquire = Callable[..., Awaitable[WriterLease]]

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("heartbeat", "declared_dead", "expected"),
    [
        (Heartbeat(NOW, 60), False, Liveness.ALIVE),
        (Heartbeat(NOW - timedelta(seconds=90), 60), False, Liveness.ALIVE),
        (Heartbeat(NOW - timedelta(seconds=90.001), 60), False, Liveness.EXPIRED),
        (Heartbeat(NOW + timedelta(days=1), 60), False, Liveness.ALIVE),
        (Heartbeat(NOW, 60), True, Liveness.DEAD),
        (None, False, Liveness.EXPIRED),
        (None, True, Liveness.DEAD),
    ],
)
def test_a_writer_is_judged_by_its_heartbeat(
    heartbeat: Heartbeat | None, declared_dead: bool, expected: Liveness
) -> None:
    assert liveness_of(heartbeat, declared_dead, NOW, 30) is expected


class Unreachable(FolderStore):
    """A store that can be cut off."""

    cut = False

    async def put(self, key: str, body: bytes, *, overwrite: bool = False) -> None:
        if self.cut:
            raise RepositoryDown(f"cut off from {key}")
        await super().put(key, body, overwrite=overwrite)


@pytest.mark.asyncio
async def test_a_beating_lease_holds(acquire: Acquire) -> None:
    lease = await acquire(ttl_s=0.6, heartbeat_s=0.1)
    ref = lease.ref
    await asyncio.sleep(1.5)
    await lease.check(ref)
    assert await lease.liveness(ref) is Liveness.ALIVE


@pytest.mark.asyncio
async def test_a_lease_that_cannot_beat_is_lost_to_its_writer_before_it_is_to_others(
    tmp_path: Path,
) -> None:
    store = Unreachable(tmp_path / "repository")
    lease = await WriterLease.acquire(
        store, tmp_path / "a", ttl_s=0.5, heartbeat_s=0.1, grace_s=0.5
    )
    other = await WriterLease.acquire(
        FolderStore(tmp_path / "repository"), tmp_path / "b", grace_s=0.5
    )
    ref = lease.ref
    store.cut = True
    while lease.valid:
        assert await other.liveness(ref) is Liveness.ALIVE
        await asyncio.sleep(0.01)
    with pytest.raises(LeaseLost):
        await lease.check(ref)
    assert await other.liveness(ref) is Liveness.ALIVE  # within the grace
    await asyncio.sleep(0.7)
    assert await other.liveness(ref) is Liveness.EXPIRED
    await lease.close()
    await other.close()


@pytest.mark.asyncio
async def test_a_lost_lease_comes_back_as_another_one_and_what_was_begun_before_stays_refused(
    tmp_path: Path,
) -> None:
    store = Unreachable(tmp_path / "repository")
    lease = await WriterLease.acquire(store, tmp_path / "a", ttl_s=0.3, heartbeat_s=0.05)
    before = lease.ref

    async def outlive_the_lease() -> None:
        async with publish(store, lease, "batches", uuid7()) as draft:
            await store.put(draft.key("report.json"), b"{}")
            store.cut = True
            while lease.valid:
                await asyncio.sleep(0.01)
            with pytest.raises(LeaseLost):
                await draft.check()
            store.cut = False
            while not lease.valid:
                await asyncio.sleep(0.01)
            await draft.commit(ANYTHING.encode({}))

    with pytest.raises(LeaseLost, match="begun under"):
        await outlive_the_lease()
    assert lease.ref.daemon_id == before.daemon_id
    assert lease.ref.incarnation > before.incarnation
    with pytest.raises(LeaseLost):
        await lease.check(before)
    assert await store.folders("batches") == []
    async with publish(store, lease, "batches", uuid7()) as draft:
        await draft.commit(ANYTHING.encode({}))
    await lease.close()


@pytest.mark.asyncio
async def test_a_heartbeat_that_outlasts_the_lease_does_not_keep_it(tmp_path: Path) -> None:
    now = 0.0

    class Slow(FolderStore):
        async def head(self, key: str) -> ObjectMeta:
            nonlocal now
            now += delay_s
            return await super().head(key)

    delay_s = 0.0
    lease = await WriterLease.acquire(
        Slow(tmp_path / "repository"),
        tmp_path / "a",
        ttl_s=60,
        heartbeat_s=15,
        monotonic=lambda: now,
    )
    before = lease.ref
    delay_s = 61
    with pytest.raises(LeaseLost, match="longer than the lease"):
        await lease._beat()
    delay_s = 0.0
    assert not lease.valid
    await lease._beat()
    assert lease.ref != before
    await lease.close()


@pytest.mark.asyncio
async def test_a_data_folder_serves_one_daemon_at_a_time(acquire: Acquire) -> None:
    await acquire("same")
    with pytest.raises(ConfigurationError, match="another daemon"):
        await acquire("same")


@pytest.mark.asyncio
async def test_a_restarted_daemon_declares_its_former_self_dead(
    store: FolderStore, acquire: Acquire, tmp_path: Path
) -> None:
    other = await acquire("other")
    first = await WriterLease.acquire(store, tmp_path / "data")
    first._heart.cancel()  # type: ignore[union-attr]  # as if it had been killed: nothing is said
    first._identity.release()
    assert await other.liveness(first.ref) is Liveness.ALIVE
    second = await acquire("data")
    assert second.daemon_id == first.daemon_id
    assert second.ref != first.ref
    assert await other.liveness(first.ref) is Liveness.DEAD
    assert await other.liveness(second.ref) is Liveness.ALIVE


@pytest.mark.asyncio
async def test_a_closed_lease_is_dead_at_once_and_refuses(
    store: FolderStore, acquire: Acquire, tmp_path: Path
) -> None:
    other = await acquire("other")
    lease = await WriterLease.acquire(store, tmp_path / "data")
    ref = lease.ref
    await lease.close()
    assert await other.liveness(ref) is Liveness.DEAD
    with pytest.raises(LeaseLost):
        await lease.check(ref)
    await lease.close()


@pytest.mark.asyncio
async def test_a_lease_that_was_never_there_has_expired(acquire: Acquire) -> None:
    lease = await acquire()
    assert await lease.liveness(LeaseRef("nobody", uuid7())) is Liveness.EXPIRED


@pytest.mark.asyncio
async def test_a_copied_data_folder_gets_a_name_of_its_own(
    acquire: Acquire, tmp_path: Path
) -> None:
    first = await acquire("data")
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "daemon-id").write_bytes((tmp_path / "data" / "daemon-id").read_bytes())
    second = await acquire("copy")
    assert second.daemon_id != first.daemon_id
    assert await second.liveness(first.ref) is Liveness.ALIVE


@pytest.mark.asyncio
async def test_a_name_file_cut_short_is_replaced(acquire: Acquire, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "daemon-id").write_bytes(b'{"daemon')
    assert (await acquire("data")).daemon_id


def test_a_heartbeat_slower_than_the_lease_is_refused(store: FolderStore) -> None:
    with pytest.raises(ValueError, match="every 60 s"):
        WriterLease(store, None, ttl_s=60, heartbeat_s=60)  # type: ignore[arg-type]
