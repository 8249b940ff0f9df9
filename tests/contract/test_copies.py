"""Copies into a bucket that goes away and comes back: the first repository does not notice it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from stewardd.backup.copying.copies import BackupCopies
from stewardd.backup.copying.second_repository import SecondRepository
from stewardd.errors import RepositoryDown
from stewardd.repository.backend.all import open_store
from stewardd.repository.backend.folder.store import FolderStore
from stewardd.repository.backend.store import Store
from stewardd.repository.claims import Claims
from stewardd.repository.lease import WriterLease
from stewardd.repository.publication import MANIFEST

from tests.support.clouds.cloud import Cloud
from tests.support.proxy import Proxy
from tests.support.stored_backup import objects, store_backup

IMPATIENT = {"timeout": "2s", "connect_timeout": "1s", "max_retries": "0"}


@pytest.fixture
def first(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "first")


@pytest.fixture
def network(s3: Cloud) -> Iterator[Proxy]:
    with Proxy(urlsplit(s3.endpoint).netloc) as proxy:
        yield proxy


@pytest.fixture
def url(s3: Cloud) -> str:
    return f"{s3.make_bucket()}/copies"


@pytest.fixture
def second(s3: Cloud, url: str) -> Store:
    """The bucket as it is, past the network."""
    return open_store(url, s3.options)


@pytest.fixture
async def copies(
    first: FolderStore, s3: Cloud, url: str, network: Proxy, tmp_path: Path
) -> AsyncIterator[BackupCopies]:
    lease = await WriterLease.acquire(first, tmp_path / "data")
    (tmp_path / "scratch").mkdir()
    place = SecondRepository(url, {**s3.through(f"http://{network.address}"), **IMPATIENT})
    yield BackupCopies(first, Claims(first, lease), place, tmp_path / "scratch")
    await lease.close()


async def test_a_bucket_that_is_away_from_the_start_gets_its_copies_when_it_is_there(
    copies: BackupCopies, first: FolderStore, second: Store, network: Proxy
) -> None:
    network.refuse()
    made = [await store_backup(first) for _ in range(3)]
    await copies.catch_up()
    assert dict(copies.status.behind) == {"main": 3}
    assert copies.status.failure
    with pytest.raises(RepositoryDown):
        await copies.copy(made[0], lambda _: None)
    network.accept()
    await copies.catch_up()
    assert sum(copies.status.behind.values()) == 0
    assert not copies.status.failure
    for backup_id in made:
        assert await objects(second, backup_id) == await objects(first, backup_id)


@pytest.mark.parametrize("cut", ["reset", "stall"])
async def test_a_bucket_that_is_cut_off_in_the_middle_of_a_copy_has_no_manifest_and_gets_the_rest_later(
    copies: BackupCopies, first: FolderStore, second: Store, network: Proxy, cut: str
) -> None:
    backup_id = await store_backup(first, segments=3, segment_bytes=3_000_000)
    await copies.probe()
    pieces = [0]

    def cuts(_: int) -> bool:
        pieces[0] += 1
        if pieces[0] > 70:  # of at most 64 KiB: about the half
            if cut == "stall":
                network.stall()
            return cut == "reset"
        return False

    network.on_sent = cuts
    await copies.catch_up()
    assert dict(copies.status.behind) == {"main": 1}
    assert copies.status.failure
    assert MANIFEST not in await objects(second, backup_id)
    network.on_sent = lambda _: False
    network.flow()
    await copies.catch_up()
    assert not copies.status.failure
    assert await objects(second, backup_id) == await objects(first, backup_id)
