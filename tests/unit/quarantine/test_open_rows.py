"""Open rows are counted over the newest batches, and a batch that is done is not read again."""

import pytest
from stewardd.quarantine.finding.open_rows import OpenRowCount
from stewardd.repository.backend.folder.store import FolderStore

from tests.support.quarantine_forms import HEADER
from tests.support.quarantine_world import lines, make_world


class CountingStore(FolderStore):
    """Counts what is read."""

    reads = 0

    async def get(self, key, **options):
        self.reads += 1
        return await super().get(key, **options)


@pytest.fixture
async def world(tmp_path):
    made = await make_world(CountingStore(tmp_path / "repository"), tmp_path)
    yield made
    await made.close()


async def test_open_rows_add_up_as_they_are_closed_and_new_ones_come(world):
    counting = OpenRowCount(world.catalog, 10)
    assert (await counting.count()).batches == 0
    first = await world.publish(HEADER + lines(10, bad_every=2))
    await world.publish(HEADER + lines(10, bad_every=5))
    found = await counting.count()
    assert (found.by_schema, found.batches) == ({"language_session": 7}, 2)
    await world.corrections.discard(first, [2, 4], reason="no use")
    assert (await counting.count()).by_schema == {"language_session": 5}
    await world.publish(HEADER + lines(3, bad_every=1))
    assert (await counting.count()).by_schema == {"language_session": 8}


async def test_only_the_newest_batches_are_counted(world):
    for _ in range(4):
        await world.publish(HEADER + lines(2, bad_every=2))
    await world.publish(HEADER + lines(3, bad_every=1))
    found = await OpenRowCount(world.catalog, 2).count()
    assert (found.by_schema, found.batches) == ({"language_session": 4}, 2)


async def test_a_batch_without_open_rows_is_read_once(world):
    for _ in range(5):
        await world.publish(HEADER + lines(3, bad_every=4))
    counting = OpenRowCount(world.catalog, 10)
    await counting.count()
    world.store.reads = 0
    assert (await counting.count()).batches == 5
    assert world.store.reads == 0


async def test_a_batch_that_cannot_be_read_is_left_out(world):
    await world.publish(HEADER + lines(2, bad_every=1))
    broken = await world.publish(HEADER + lines(2, bad_every=1))
    key = f"{(await world.catalog.get(broken)).folder}/manifest.json"
    await world.store.delete(key)
    await world.store.put(key, b"no manifest")
    found = await OpenRowCount(world.catalog, 10).count()
    assert (found.by_schema, found.batches) == ({"language_session": 2}, 1)
