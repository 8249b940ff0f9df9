"""A long log is read from its checkpoint on, and as well without it; who loses a race decides anew."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from stewardd.batches.filter import BatchFilter
from stewardd.batches.states import State
from stewardd.quarantine.log.batch_logs import CHECKPOINT, CHECKPOINT_EVERY, BatchLogs
from stewardd.quarantine.removing.data_subject import DataSubject
from stewardd.quarantine.removing.erasure import EraseRequest
from stewardd.quarantine.removing.purge import PurgeRequest
from stewardd.repository.backend.folder.store import FolderStore

from tests.support.quarantine_forms import HEADER
from tests.support.quarantine_world import lines, make_world


@pytest.fixture
async def worlds(tmp_path):
    store = FolderStore(tmp_path / "repository")
    made = [await make_world(store, tmp_path, name) for name in ("a", "b")]
    yield made
    for world in made:
        await world.close()


async def purge(world, batch_id):
    async def report(batches, rows):
        """Nobody listens."""

    soon = datetime.now(UTC) + timedelta(seconds=1)
    closed = frozenset({State.RESOLVED, State.DISCARDED})
    request = PurgeRequest(batch_id, BatchFilter(), closed, soon, False, False, "")
    return await world.purge.run(request, report)


def told(state):
    return (state.summary, state.spans, state.exports, dict(state.states))


async def test_a_log_is_told_from_its_checkpoint_as_from_its_beginning(worlds):
    world = worlds[0]
    count = CHECKPOINT_EVERY + 6
    batch_id = await world.publish(HEADER + lines(count, bad_every=1))
    for number in range(1, count + 1):
        await world.corrections.discard(batch_id, [number], reason="no use")
    batch = await world.catalog.get(batch_id)
    whole = await world.logs.state(batch.folder)
    assert (whole.number, whole.discarded_rows) == (count, count)
    key = f"{batch.folder}/{CHECKPOINT}"
    assert (await world.store.head(key)).size_bytes > 0
    for _ in range(2):
        fresh = BatchLogs(world.store, world.lease)
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


async def test_an_erasure_leaves_no_checkpoint_that_holds_the_address(worlds):
    world = worlds[0]
    person = "ana1@example.org"
    batch_id = await world.publish(HEADER + lines(CHECKPOINT_EVERY + 10, bad_every=1))
    await world.corrections.correct(batch_id, 1, {"rating": "0.5"})
    await world.exports.create(batch_id, "importer", actor=person)
    for number in range(2, CHECKPOINT_EVERY + 4):
        await world.corrections.discard(batch_id, [number], reason="no use")
    folder = (await world.catalog.get(batch_id)).folder
    assert person.encode() in await world.store.get(f"{folder}/{CHECKPOINT}")

    async def report(batches, rows):
        """Nobody listens."""

    await world.erasure.run(EraseRequest(DataSubject(person), False, ""), "hash", report)
    held = await objects(world.store, folder)
    assert [key for key, body in held.items() if person.encode() in body] == []
    whole = await world.logs.state(folder)
    assert told(await BatchLogs(world.store, world.lease).state(folder)) == told(whole)


async def test_a_checkpoint_that_comes_after_a_rewriting_does_not_stay(worlds):
    """A daemon that was slow between its commit and its checkpoint, while another one rewrote the batch."""
    slow, other = worlds
    batch_id = await slow.publish(HEADER + lines(CHECKPOINT_EVERY + 10, bad_every=1))
    folder = (await slow.catalog.get(batch_id)).folder
    store = slow.store

    class Slow:
        def __getattr__(self, name):
            return getattr(store, name)

        async def put(self, key, body, **how):
            if key.endswith(CHECKPOINT):
                assert (await purge(other, batch_id)).rows.total() > 0
            await store.put(key, body, **how)

    slow.logs.store = Slow()
    for number in range(1, CHECKPOINT_EVERY + 1):
        await slow.corrections.discard(batch_id, [number], reason="no use")
    assert f"{folder}/{CHECKPOINT}" not in await objects(store, folder)
    assert (await other.catalog.get(batch_id)).commits == CHECKPOINT_EVERY + 1


async def objects(store, folder):
    return {each.key: await store.get(each.key) async for each in store.list(folder)}


@pytest.mark.parametrize("left", [(2, 3, 4, 5), (1, 2, 3), (5,)])
async def test_a_batch_whose_superseded_commits_are_half_removed_is_what_the_last_one_says(
    worlds, left
):
    world, stranger = worlds
    batch_id = await world.publish(HEADER + lines(2100, bad_every=1))
    for number in range(5):  # as data beside the log
        sheet = [{**row, "rating": "0.5"} for row in (await world.sheet(batch_id))[:400]]
        assert (await world.resubmit(batch_id, sheet)).resolved_rows == 400, number
    folder = (await world.catalog.get(batch_id)).folder
    before = await objects(world.store, f"{folder}/log")
    assert len(before) == 5
    assert any("states.bin" in key for key in await objects(world.store, f"{folder}/changes"))
    assert (await purge(world, batch_id)).rows.total() == 2000
    whole = await world.logs.state(folder)
    for number, (key, body) in enumerate(sorted(before.items()), 1):
        if number in left:  # its commit, and its data gone already
            await world.store.put(key, body, overwrite=True)
    fresh = BatchLogs(world.store, world.lease)
    assert told(await fresh.state(folder)) == told(whole)
    assert await BatchLogs(world.store, world.lease).summary(folder) == whole.summary
    await stranger.corrections.discard(batch_id, [2001], reason="no use")
    assert (await stranger.catalog.get(batch_id)).open_rows == 99
