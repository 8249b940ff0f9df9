"""An erasure does all batches that it can, and names those that are left."""

import pytest
from stewardd.errors import BatchesLeft, Cancelled, LeaseLost
from stewardd.quarantine.removing.data_subject import DataSubject
from stewardd.quarantine.removing.erasure import EraseRequest
from stewardd.repository.backend.folder.store import FolderStore

from tests.support.quarantine_forms import HEADER
from tests.support.quarantine_world import lines, make_world


@pytest.fixture
async def world(tmp_path):
    made = await make_world(FolderStore(tmp_path / "repository"), tmp_path)
    yield made
    await made.close()


async def report(batches, rows):
    """Nobody listens."""


def erase(world, email="ana2@example.org", *, dry_run=False, report=report):
    return world.erasure.run(EraseRequest(DataSubject(email), dry_run, ""), "hash", report)


async def replace(world, batch_id, name, body):
    key = f"{(await world.catalog.get(batch_id)).folder}/{name}"
    await world.store.delete(key)
    await world.store.put(key, body)


async def holding(world, word):
    keys = [each.key async for each in world.store.list("batches")]
    return {key.split("/")[2] for key in keys if word in await world.store.get(key)}


@pytest.mark.parametrize("dry_run", [True, False])
async def test_batches_that_cannot_be_rewritten_are_named_and_the_others_are_done(world, dry_run):
    names = [await world.publish(HEADER + lines(4, bad_every=2)) for _ in range(5)]
    # The newest is come to first: one whose records are none, one whose log no listing can read, one that lost a file.
    await replace(world, names[4], "records.jsonl", b'{"rowNumber":2,ana2@example.org\n')
    folder = (await world.catalog.get(names[3])).folder
    await world.corrections.discard(names[2], [2], reason="ana2@example.org asked")
    gone = (await world.catalog.get(names[2])).folder
    await world.store.put(f"{folder}/log/{1:012}.json", b"not a commit")
    await world.store.delete(f"{gone}/valid.csv")
    with pytest.raises(BatchesLeft) as found:
        await erase(world, dry_run=dry_run)
    message = found.value.message
    assert message.startswith("3 of 5 batches could not be looked through or rewritten")
    for name in names[2:]:
        assert f"{name} (CORRUPT)" in message
    assert not any(name in message for name in names[:2])
    assert await holding(world, b"ana2@") == set(names if dry_run else names[2:])


async def test_many_that_are_left_fit_into_a_status(world):
    names = [await world.publish(HEADER + lines(2, bad_every=2)) for _ in range(13)]
    for name in names:
        await replace(world, name, "records.jsonl", b"ana2@example.org\n")
    with pytest.raises(BatchesLeft) as found:
        await erase(world)
    assert found.value.message.endswith(", 3 more, which the daemon's log names")
    assert len(found.value.message) < 768


@pytest.mark.parametrize("error", [Cancelled, LeaseLost])
async def test_it_ends_at_once_where_it_may_not_or_cannot_go_on(world, error, monkeypatch):
    for _ in range(2):
        await world.publish(HEADER + lines(2, bad_every=2))
    asked = []

    async def refuse(batch_id, *_, **__):
        asked.append(batch_id)
        raise error("no more")

    monkeypatch.setattr(world.erasure._rewriter, "rewrite", refuse)
    with pytest.raises(error):
        await erase(world)
    assert len(asked) == 1


async def test_a_batch_that_is_not_published_is_none(world):
    batch_id = await world.publish(HEADER + lines(2, bad_every=2))
    other = await world.publish(HEADER + lines(2, bad_every=2))
    folder = (await world.catalog.get(other)).folder
    await world.store.delete(f"{folder}/manifest.json")
    outcome = await erase(world)
    assert (outcome.scanned_batches, outcome.batches) == (1, 1)
    assert await holding(world, b"ana2@") == {other}
    assert batch_id != other


async def test_letters_beyond_ascii_are_found_in_every_file(world):
    body = HEADER + "S1,'JÖSÉ.x@x.org,bo@example.org,2025-03-01,1.7\n".encode()
    body += "S2,jösé.x@x.org,bo@example.org,2025-03-01,0.5\n".encode()
    await world.publish(body)
    outcome = await erase(world, "JÖSÉ.x@x.org")
    assert outcome.quarantined_rows + outcome.valid_rows == 2
    for left in ("JÖSÉ", "jösé"):
        assert not await holding(world, left.encode())
