"""A deleted backup can be had back until its grace is over; no database loses its last good one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from stewardd.backup.deletion import PinRequest
from stewardd.backup.listing import BackupFilter
from stewardd.backup.reading.segment import read_segment
from stewardd.backup.retention.policy import Counting, RetentionPolicy
from stewardd.backup.states import ROOT, STATE_CODEC, BackupState
from stewardd.errors import (
    BackupDeleted,
    BackupNotFound,
    BackupPinned,
    LastBackup,
    RepositoryDown,
)
from stewardd.repository.backend.folder.store import FolderStore
from stewardd.repository.identifiers import folder_of

from tests.support.backups import NOW, Keeper

pytestmark = pytest.mark.asyncio

PIN = PinRequest(True, "the last before the move", "mia")
UNPIN = PinRequest(False, "", "mia")


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "repository")


@pytest.fixture
def keeper(store: FolderStore) -> Keeper:
    return Keeper(store)


async def listed(keeper: Keeper, *, deleted: bool = False, database: str = "") -> list[str]:
    page = await keeper.listing.page(BackupFilter(database, deleted), page_size=100)
    return [each.manifest.backup_id for each in page.items]


async def test_a_deleted_backup_leaves_the_listing_and_keeps_its_data_for_the_grace(
    keeper: Keeper,
) -> None:
    newest, older = await keeper.store_daily(2)
    before = await keeper.keys()
    await keeper.deletion.delete(older, "mia")
    assert await listed(keeper) == [newest]
    assert await listed(keeper, deleted=True) == [older]
    keeper.now += keeper.policy.grace - timedelta(seconds=1)
    assert await keeper.deletion.purge() == []
    assert await keeper.keys() == before
    found = await keeper.listing.get(older)
    assert found.state.deleted
    assert found.state.state is not None
    assert found.state.state.actor == "mia"
    assert keeper.deletion.purge_time("main", found.state) == NOW + keeper.policy.grace
    keeper.now += timedelta(seconds=1)
    assert await keeper.deletion.purge() == [older]
    assert not any(older in key for key in await keeper.keys() + await keeper.keys(ROOT))
    with pytest.raises(BackupNotFound):
        await keeper.listing.get(older)


async def test_a_deleted_backup_can_be_had_back_until_then(keeper: Keeper) -> None:
    newest, older = await keeper.store_daily(2)
    await keeper.deletion.delete(older, "mia")
    await keeper.deletion.delete(older, "bo")
    await keeper.deletion.undelete(older, "bo")
    await keeper.deletion.undelete(older, "bo")
    keeper.now += timedelta(days=30)
    assert await keeper.deletion.purge() == []
    assert await listed(keeper) == [newest, older]


async def test_a_pinned_backup_is_deleted_by_nobody(keeper: Keeper) -> None:
    ids = await keeper.store_daily(20)
    await keeper.deletion.pin(ids[-1], PIN)
    with pytest.raises(BackupPinned):
        await keeper.deletion.delete(ids[-1], "mia")
    assert set((await keeper.pruning.prune(None, "mia")).deleted) == set(ids[7:-1])
    await keeper.deletion.pin(ids[-1], UNPIN)
    assert (await keeper.pruning.prune("main", "mia")).deleted == (ids[-1],)
    with pytest.raises(BackupDeleted):
        await keeper.deletion.pin(ids[-1], PIN)


async def test_the_last_backup_of_a_database_is_never_deleted(keeper: Keeper) -> None:
    only = await keeper.store_backup(NOW)
    await keeper.store_backup(NOW, "other")
    with pytest.raises(LastBackup):
        await keeper.deletion.delete(only, "mia")
    assert await listed(keeper, database="main") == [only]
    assert not (await keeper.states.of(only)).deleted


async def test_two_daemons_that_delete_the_last_two_at_once_leave_one(store: FolderStore) -> None:
    ours, theirs = Keeper(store), Keeper(store)
    for number in range(25):
        database = f"db{number}"
        ids = [await ours.store_backup(NOW - timedelta(hours=each), database) for each in (1, 2)]
        await asyncio.gather(
            ours.deletion.delete(ids[0], "ours"),
            theirs.deletion.delete(ids[1], "theirs"),
            return_exceptions=True,
        )
        left = await listed(ours, database=database)
        assert left, "both were deleted"
    ours.now += timedelta(days=30)
    theirs.now = ours.now
    await asyncio.gather(ours.deletion.purge(), theirs.deletion.purge())
    for number in range(25):
        assert await listed(ours, database=f"db{number}")


async def test_of_deleted_backups_the_newest_keeps_its_data_where_no_other_is_left(
    keeper: Keeper,
) -> None:
    """Two marks can be there without a good backup beside them, where daemons died between mark and second look."""
    newest, older = await keeper.store_daily(2)
    state = BackupState(NOW, delete_time=NOW)
    for each in (newest, older):
        await keeper.store.put(f"{folder_of(ROOT, each)}/000001.json", STATE_CODEC.encode(state))
    keeper.now += timedelta(days=30)
    assert await keeper.deletion.purge() == [older]
    assert await keeper.deletion.purge() == []
    assert any(newest in key for key in await keeper.keys())


async def test_a_plan_does_not_delete_what_was_pinned_since(keeper: Keeper) -> None:
    ids = await keeper.store_daily(12)
    plan = await keeper.pruning.plan("main")
    await keeper.deletion.pin(ids[9], PIN)
    marked = await keeper.deletion.mark(plan.going, "main", "retention")
    assert set(marked) == set(ids[7:]) - {ids[9]}
    assert ids[9] in await listed(keeper)


async def test_a_state_that_cannot_be_read_keeps_its_backup(keeper: Keeper) -> None:
    ids = await keeper.store_daily(12)
    await keeper.store.put(f"{folder_of(ROOT, ids[-1])}/000001.json", b"{")
    assert ids[-1] not in (await keeper.pruning.prune(None, "mia")).deleted


async def test_a_manifest_that_cannot_be_read_loses_neither_data_nor_state(keeper: Keeper) -> None:
    _, older = await keeper.store_daily(2)
    await keeper.deletion.pin(older, PIN)
    key = next(key for key in await keeper.keys() if older in key and key.endswith("manifest.json"))
    await keeper.store.put(key, b"{", overwrite=True)
    reader = Keeper(keeper.store)
    reader.now += timedelta(days=30)
    await reader.pruning.run()
    assert sum(older in each for each in await reader.keys()) == 3
    assert (await reader.states.of(older)).pinned


async def test_who_reads_a_backup_while_its_data_go_hears_that_it_is_gone(keeper: Keeper) -> None:
    _, older = await keeper.store_daily(2)
    manifest = (await keeper.listing.get(older)).manifest
    await keeper.deletion.delete(older, "mia")
    assert await read_segment(keeper.store, manifest, manifest.segments[0])
    keeper.now += timedelta(days=2)
    await keeper.deletion.purge()
    with pytest.raises(BackupNotFound):
        await read_segment(keeper.store, manifest, manifest.segments[1])


async def test_seven_days_of_failing_backups_delete_nothing(keeper: Keeper) -> None:
    ids = await keeper.store_daily(5)
    for _ in range(24 * 20):
        keeper.now += timedelta(hours=1)
        pruned = await keeper.pruning.prune(None, "retention")
        assert not pruned.deleted
    assert pruned.halted == ("main",)
    assert await listed(keeper) == ids


async def test_a_repository_that_is_gone_and_back_has_lost_nothing(
    keeper: Keeper, store: FolderStore, tmp_path: Path
) -> None:
    ids = await keeper.store_daily(12)
    await keeper.deletion.pin(ids[-1], PIN)
    store.root.rename(tmp_path / "away")
    for _ in range(3):
        keeper.now += timedelta(days=1)
        with pytest.raises(RepositoryDown):
            await keeper.pruning.run()
    (tmp_path / "away").rename(store.root)
    keeper.now = NOW
    assert (await keeper.pruning.prune(None, "mia")).deleted == tuple(ids[7:-1])
    assert await listed(keeper) == [*ids[:7], ids[-1]]


async def test_unproven_backups_are_never_pruned_by_the_default_policy(store: FolderStore) -> None:
    keeper = Keeper(store, RetentionPolicy())
    assert keeper.policy.counting is Counting.VERIFIED
    ids = await keeper.store_daily(40)
    assert (await keeper.pruning.prune(None, "retention")).deleted == ()
    assert await listed(keeper) == ids


async def test_an_inventory_reads_each_manifest_and_each_state_once(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = await keeper.store_daily(30)
    await keeper.deletion.pin(ids[0], PIN)
    await keeper.inventory.read()
    read: list[str] = []
    get = keeper.store.get

    async def seen(key: str, **options: int) -> bytes:
        read.append(key)
        return await get(key, **options)

    get_many = keeper.store.get_many

    async def seen_many(keys: Sequence[str]) -> list[bytes | None]:
        read.extend(keys)
        return await get_many(keys)

    monkeypatch.setattr(keeper.store, "get", seen)
    monkeypatch.setattr(keeper.store, "get_many", seen_many)
    assert [each.backup_id for each in await keeper.inventory.read()] == ids
    assert read == []
    await keeper.deletion.pin(ids[1], PIN)
    read.clear()
    found = await keeper.inventory.read()
    assert [each.state.pinned for each in found] == [True, True, *[False] * 28]
    assert len(read) == 1
