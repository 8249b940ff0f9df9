"""Copies in a second repository: whole or not there, made again after any failure, and never in the first one's way."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from stewardd.backup.catalog import BackupCatalog
from stewardd.backup.copying.copies import BackupCopies
from stewardd.backup.copying.second_repository import SecondRepository
from stewardd.errors import BackupNotFound, Corrupt, RepositoryDown, RequestInProgress
from stewardd.repository.backend.folder.store import FolderStore
from stewardd.repository.claims import Claims
from stewardd.repository.identifiers import folder_of, uuid7
from stewardd.repository.publication import MANIFEST

from tests.support.stored_backup import objects, segment_key, store_backup

ROOT = Path(__file__).parents[3]


@pytest.fixture
def copies_of(
    first: FolderStore, second: FolderStore, claims: Claims, scratch: Path
) -> Callable[..., BackupCopies]:
    def make(days_later: int = 0) -> BackupCopies:
        place = SecondRepository(str(second.root), {})
        later = timedelta(days=days_later)
        return BackupCopies(first, claims, place, scratch, lambda: datetime.now(UTC) + later)

    return make


@pytest.fixture
def copies(copies_of: Callable[..., BackupCopies]) -> BackupCopies:
    return copies_of()


def nothing(_: int) -> None:
    """Nobody listens."""


async def test_each_backup_is_copied_byte_for_byte_and_is_one_there(
    copies: BackupCopies, first: FolderStore, second: FolderStore, scratch: Path
) -> None:
    made = [await store_backup(first, database=name) for name in ("main", "main", "other")]
    await copies.catch_up()
    for backup_id in made:
        assert await objects(second, backup_id) == await objects(first, backup_id)
        assert (await BackupCatalog(second).get(backup_id)).backup_id == backup_id
    assert not copies.status.failure
    assert sum(copies.status.behind.values()) == 0
    assert copies.status.last_made_at is not None
    assert list(scratch.iterdir()) == []


async def test_a_copy_tells_how_far_it_is(copies: BackupCopies, first: FolderStore) -> None:
    backup_id = await store_backup(first, segments=3, segment_bytes=1000)
    told: list[int] = []
    await copies.copy(backup_id, told.append)
    assert told == [1000, 2000, 3000]


async def test_what_the_second_repository_deleted_is_not_copied_again_unless_it_is_asked_for(
    copies: BackupCopies, first: FolderStore, second: FolderStore
) -> None:
    backup_id = await store_backup(first)
    await copies.catch_up()
    await second.delete_prefix(folder_of("backups", backup_id))
    await copies.catch_up()
    assert await objects(second, backup_id) == {}
    await copies.copy(backup_id, nothing)
    assert await objects(second, backup_id) == await objects(first, backup_id)


async def test_a_first_repository_that_is_gone_and_back_costs_no_copy_and_no_record(
    copies: BackupCopies, first: FolderStore, second: FolderStore, tmp_path: Path
) -> None:
    made, deleted = [await store_backup(first) for _ in range(2)]
    await copies.catch_up()
    await second.delete_prefix(folder_of("backups", deleted))
    first.root.rename(tmp_path / "away")
    with pytest.raises(RepositoryDown, match="not mounted"):
        await copies.catch_up()
    assert await objects(second, made)
    (tmp_path / "away").rename(first.root)
    await copies.catch_up()
    assert await objects(second, made) == await objects(first, made)
    assert await objects(second, deleted) == {}  # that it was copied is known still


async def test_a_damaged_backup_is_not_copied_and_keeps_no_other_waiting(
    copies: BackupCopies, first: FolderStore, second: FolderStore
) -> None:
    good, damaged, other = [await store_backup(first) for _ in range(3)]
    body = bytearray(await first.get(segment_key(damaged, 1)))
    body[17] ^= 1
    await first.put(segment_key(damaged, 1), bytes(body), overwrite=True)
    await copies.catch_up()
    assert await objects(second, good) == await objects(first, good)
    assert await objects(second, other) == await objects(first, other)
    assert MANIFEST not in await objects(second, damaged)
    assert dict(copies.status.behind) == {"main": 1}
    assert "checksum differs" in copies.status.failure
    with pytest.raises(Corrupt, match="segment-000001"):
        await copies.copy(damaged, nothing)


async def test_a_segment_that_is_missing_is_named_before_anything_is_copied(
    copies: BackupCopies, first: FolderStore, second: FolderStore
) -> None:
    backup_id = await store_backup(first)
    await first.delete(segment_key(backup_id, 1))
    with pytest.raises(Corrupt, match="segment-000001 is missing"):
        await copies.copy(backup_id, nothing)
    assert await objects(second, backup_id) == {}


async def test_what_an_interrupted_copy_left_is_compared_and_what_differs_is_put_anew(
    copies: BackupCopies, first: FolderStore, second: FolderStore
) -> None:
    backup_id = await store_backup(first, segments=3)
    whole = await first.get(segment_key(backup_id, 0))
    await second.put(segment_key(backup_id, 0), whole)
    await second.put(segment_key(backup_id, 1), bytes(3000))
    before = (await second.head(segment_key(backup_id, 0))).modified_at
    await copies.catch_up()
    assert await objects(second, backup_id) == await objects(first, backup_id)
    assert (await second.head(segment_key(backup_id, 0))).modified_at == before


async def test_another_backup_under_the_same_name_is_never_overwritten(
    copies: BackupCopies, first: FolderStore, second: FolderStore
) -> None:
    backup_id = await store_backup(first)
    key = f"{folder_of('backups', backup_id)}/{MANIFEST}"
    await second.put(key, b"another")
    with pytest.raises(Corrupt, match="another backup"):
        await copies.copy(backup_id, nothing)
    assert await second.get(key) == b"another"


async def test_a_backup_that_is_not_there_or_not_finished_is_not_found(
    copies: BackupCopies, first: FolderStore
) -> None:
    begun = uuid7()
    await first.put(segment_key(begun), b"x")
    for backup_id in (uuid7(), begun):
        with pytest.raises(BackupNotFound):
            await copies.copy(backup_id, nothing)
    await copies.catch_up()
    assert not copies.status.failure


async def test_two_that_copy_one_backup_at_once_leave_one_whole_copy(
    copies_of: Callable[..., BackupCopies], first: FolderStore, second: FolderStore
) -> None:
    backup_id = await store_backup(first, segments=5)
    outcomes = await asyncio.gather(
        *(copies_of().copy(backup_id, nothing) for _ in range(4)), return_exceptions=True
    )
    assert all(
        isinstance(each, RequestInProgress) for each in outcomes if isinstance(each, Exception)
    )
    assert any(not isinstance(each, Exception) for each in outcomes)
    assert await objects(second, backup_id) == await objects(first, backup_id)


async def test_a_copy_that_is_asked_for_while_it_is_being_made_waits_for_its_turn(
    copies: BackupCopies, first: FolderStore, second: FolderStore, claims: Claims
) -> None:
    backup_id = await store_backup(first)
    async with SecondRepository(str(second.root), {}).exclusively(claims, backup_id):
        with pytest.raises(RequestInProgress):
            await copies.copy(backup_id, nothing)
        waiting = asyncio.create_task(copies.copy_in_turn(backup_id, nothing))
        done, _ = await asyncio.wait([waiting], timeout=0.1)
        assert not done
        assert await objects(second, backup_id) == {}
    assert (await waiting).backup_id == backup_id
    assert await objects(second, backup_id) == await objects(first, backup_id)


async def test_what_was_begun_of_a_backup_that_is_gone_is_removed_behind_a_fence(
    copies_of: Callable[..., BackupCopies], first: FolderStore, second: FolderStore
) -> None:
    backup_id = await store_backup(first, segments=2)
    await first.put(segment_key(backup_id, 1), b"damaged", overwrite=True)
    await copies_of().catch_up()
    assert set(await objects(second, backup_id)) == {"segment-000000"}
    await first.delete_prefix(folder_of("backups", backup_id))
    await copies_of().catch_up()
    assert await objects(second, backup_id) == {MANIFEST: b""}
    await copies_of(days_later=2).catch_up()
    assert await objects(second, backup_id) == {}
    records = [each.key async for each in first.list("backup-copies")]
    assert records == []


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from stewardd.backup.copying.copies import BackupCopies
from stewardd.backup.copying.second_repository import SecondRepository
from stewardd.repository.backend.folder.store import FolderStore
from stewardd.repository.claims import Claims
from stewardd.repository.lease import WriterLease

async def main(folder, puts):
    first = FolderStore(folder / "first")
    lease = await WriterLease.acquire(first, folder / "doomed")
    place = SecondRepository(str(folder / "second"), {})
    target = await place.store()
    put_file, put = target.put_file, target.put
    left = [puts]

    def count():
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    async def counted_file(key, path):
        count()
        await put_file(key, path)

    async def counted(key, body, **options):
        count()
        await put(key, body, **options)

    await place.store()
    target.put_file = counted_file
    target.put = counted
    copies = BackupCopies(first, Claims(first, lease), place, folder / "scratch")
    await copies.copy(sys.argv[3], lambda _: None)

asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
"""


@pytest.mark.parametrize("puts", range(5))
async def test_a_copier_that_is_killed_leaves_no_manifest_without_its_data_and_is_followed(
    copies_of: Callable[..., BackupCopies],
    first: FolderStore,
    second: FolderStore,
    tmp_path: Path,
    puts: int,
) -> None:
    """Killed at each of its puts in turn; the last is that of the manifest."""
    backup_id = await store_backup(first, segments=4)
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", KILLED, str(tmp_path), str(puts), backup_id],
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == -9
    assert len(await objects(second, backup_id)) == puts
    assert MANIFEST not in await objects(second, backup_id)
    # The claim of the dead ends with its lease: here the folder of its identity is free, and its successor says so.
    from stewardd.repository.lease import WriterLease

    successor = await WriterLease.acquire(first, tmp_path / "doomed")
    await copies_of().catch_up()
    await successor.close()
    assert await objects(second, backup_id) == await objects(first, backup_id)
