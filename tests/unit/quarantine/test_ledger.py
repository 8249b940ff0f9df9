"""A long log is read from its checkpoint on, and as well without it; who loses a race decides anew."""

import asyncio

import pytest
from stewardd.quarantine.ledger import CHECKPOINT, CHECKPOINT_EVERY, Ledger
from stewardd.repository.local import LocalStore

from tests.support.quarantine_world import HEADER, lines, make_world


@pytest.fixture
async def worlds(tmp_path):
    store = LocalStore(tmp_path / "repository")
    made = [await make_world(store, tmp_path, name) for name in ("a", "b")]
    yield made
    for world in made:
        await world.close()


def told(state):
    return (state.summary, state.spans, state.exports, dict(state.states))


async def test_a_log_is_told_from_its_checkpoint_as_from_its_beginning(worlds):
    world = worlds[0]
    count = CHECKPOINT_EVERY + 6
    batch_id = await world.publish(HEADER + lines(count, bad_every=1))
    for number in range(1, count + 1):
        await world.corrections.discard(batch_id, [number], reason="no use")
    batch = await world.catalog.get(batch_id)
    whole = await world.ledger.state(batch.folder)
    assert (whole.number, whole.discarded_rows) == (count, count)
    key = f"{batch.folder}/{CHECKPOINT}"
    assert (await world.store.head(key)).size_bytes > 0
    for _ in range(2):
        fresh = Ledger(world.store, world.lease)
        assert await fresh.summary(batch.folder) == whole.summary
        assert told(await fresh.state(batch.folder)) == told(whole)
        await world.store.delete(key)  # derived: it may go at any time


async def test_writers_of_two_daemons_all_get_their_turn(worlds):
    batch_id = await worlds[0].publish(HEADER + lines(24, bad_every=1))
    await asyncio.gather(
        *(
            worlds[number % 2].corrections.discard(batch_id, [number], reason="no use")
            for number in range(1, 25)
        )
    )
    for world in worlds:
        batch = await world.catalog.get(batch_id)
        assert (batch.discarded_rows, batch.commits) == (24, 24)
