"""A repository that is slow, or goes away in the middle of a dump and comes back: an S3 behind a proxy, a folder."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from stewardd.backup.asked import BackupAsked
from stewardd.backup.backups import Backups
from stewardd.backup.manifest.backup import CompressionMethod, DumpForm, ProofMode
from stewardd.errors import LeaseLost, RepositoryDown
from stewardd.repository.backend.all import open_store
from stewardd.repository.lease import WriterLease

from tests.integration.backup.conftest import Handle, processes
from tests.support.proxy import Proxy

WORKER, PG_DUMP = "stewardd.backup.making.worker", "pg_dump --format"
# Of some 10 MB: seconds pass between its first segment and its last.
SLOWLY = BackupAsked(
    compression=CompressionMethod.NONE, proof=ProofMode.NONE, max_bytes_per_second=4 << 20
)


@pytest.fixture
def proxy(s3):
    with Proxy(urlsplit(s3.endpoint).netloc) as made:
        yield made


@pytest.fixture
async def far(s3, proxy, options, filled, keyring, folder) -> AsyncIterator[Backups]:
    """Backups into a bucket behind the proxy."""
    url = s3.make_bucket()
    reached = s3.through(f"http://{proxy.address}") | {"max_retries": "1"}
    store = open_store(url, reached)
    home = folder / "far-writer"
    home.mkdir()
    lease = await WriterLease.acquire(store, home)
    there = replace(options, store_url=url, store_options=reached, segment_bytes=1 << 20)
    yield Backups(store, lease, {"main": filled}, keyring, there)
    await lease.close()


@pytest.mark.parametrize("form", DumpForm)
async def test_a_slow_store_makes_a_backup_slow_and_no_less_whole(far, proxy, handle, form):
    proxy.delay_s, proxy.pause_s = 0.05, 0.01
    manifest = await far.create("main", "", handle, asked=BackupAsked(form=form))
    proxy.delay_s = proxy.pause_s = 0.0
    assert await far.get(manifest.backup_id) == manifest
    assert manifest.contents is not None
    assert manifest.contents.tables == 3


async def test_a_store_that_goes_away_fails_the_backup_and_the_next_one_is_made_when_it_is_back(
    far, proxy, handle
):
    def leave() -> None:
        proxy.refuse()
        proxy.reset()

    handle.at(lambda progress: progress["stored_bytes"] != 0, leave)
    with pytest.raises(RepositoryDown):
        await far.create("main", "", handle, asked=SLOWLY)
    assert processes(WORKER) == []
    assert processes(PG_DUMP) == []
    proxy.accept()
    manifest = await far.create("main", "", Handle())
    assert [each.backup_id for each in (await far.list(10, "")).items] == [manifest.backup_id]


async def test_a_folder_that_is_gone_fails_the_backup_and_the_next_one_is_made_when_it_is_back(
    backups, handle, store, folder
):
    root, away = Path(store.root), folder / "away"
    handle.at(lambda progress: progress["stored_bytes"] != 0, lambda: root.rename(away))
    with pytest.raises((RepositoryDown, LeaseLost)):
        await asyncio.wait_for(backups.create("main", "", handle, asked=SLOWLY), 60)
    assert processes(WORKER) == []
    assert processes(PG_DUMP) == []
    assert not root.exists(), "nothing is made where a disk may be missing"
    away.rename(root)
    assert not list(root.rglob("manifest.json"))
    manifest = await backups.create("main", "", Handle())
    assert [each.backup_id for each in (await backups.list(10, "")).items] == [manifest.backup_id]
