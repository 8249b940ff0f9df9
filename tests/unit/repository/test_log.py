"""The log beside a published thing: numbers are taken once, and what no commit names goes."""

import asyncio

import pytest
from stewardd.errors import Corrupt, LeaseLost, ObjectExists
from stewardd.repository.identifiers import folder_of, uuid7
from stewardd.repository.log import GIVEN_UP, CommitLog, commit_key, read_after
from stewardd.repository.publication import publish
from stewardd.repository.sweep import Sweep

from tests.support.documents import ANYTHING


@pytest.fixture
async def thing(store, lease):
    identifier = uuid7()
    async with publish(store, lease, "things", identifier) as draft:
        await draft.commit(ANYTHING.encode({"is": "there"}))
    return folder_of("things", identifier)


def commit(**fields):
    return ANYTHING.encode({"id": uuid7(), "kind": "test"} | fields)


async def keys(store, prefix):
    return [each.key async for each in store.list(prefix)]


async def test_of_many_writers_one_takes_each_number_and_all_find_their_own_again(
    store, lease, thing
):
    log = CommitLog(store, lease, thing)
    commits = [commit(n=n) for n in range(8)]

    async def take(each):
        try:
            await log.append(1, each)
        except ObjectExists:
            return None
        return each

    took = [each for each in await asyncio.gather(*map(take, commits)) if each]
    (found,) = await read_after(store, thing, 0)
    assert took == [found.body]
    await log.append(1, took[0])  # the answer was lost: it is its own
    assert await read_after(store, thing, 1) == []


async def test_commits_are_read_in_order_from_a_number_on(store, lease, thing):
    log = CommitLog(store, lease, thing)
    for number in range(1, 41):
        await log.append(number, commit(n=number))
    assert [each.number for each in await read_after(store, thing, 0)] == list(range(1, 41))
    assert [ANYTHING.decode(each.body, "")["n"] for each in await read_after(store, thing, 37)] == [
        38,
        39,
        40,
    ]


async def test_data_without_a_commit_goes_with_its_block(store, lease, thing, tmp_path):
    path = tmp_path / "rows"
    path.write_bytes(b"rows")
    log = CommitLog(store, lease, thing)
    async with log.staged() as staged:
        assert await staged.put_file("rows", path) == f"{staged.folder[len(thing) + 1 :]}/rows"
        await staged.put_file("archive", path, kept=True)
    assert await keys(store, thing) == [f"{thing}/manifest.json"]
    assert await keys(store, f"{lease.ref.folder}/intents") == []


async def test_a_commit_that_removes_takes_all_before_it_away_and_keeps_what_is_kept(
    store, lease, thing, tmp_path
):
    path = tmp_path / "rows"
    path.write_bytes(b"rows")
    log = CommitLog(store, lease, thing)
    await store.put(f"{thing}/old", b"old")
    await log.append(1, commit())
    async with log.staged() as first:
        await first.put_file("rows", path)
        archive = await first.put_file("archive", path, kept=True)
        await first.append(2, commit(data=True, id=first.identifier))
    async with log.staged() as second:
        await second.put_file("rows", path)
        await second.append(3, commit(data=True, removes=["old"], id=second.identifier))
    assert await keys(store, thing) == sorted(
        [
            f"{thing}/manifest.json",
            f"{thing}/{archive}",
            f"{second.folder}/rows",
            *(commit_key(thing, number) for number in (1, 2, 3)),
        ]
    )


@pytest.mark.parametrize("left", [(2, 3, 4), (1, 2), (4,)])
async def test_a_log_that_is_half_removed_begins_at_the_commit_that_stands_for_the_rest(
    store, lease, thing, left
):
    """As a kill in the middle of removing leaves it, whichever way that went."""
    log = CommitLog(store, lease, thing)
    for number in range(1, 21):
        fields: dict[str, list[str]] = {"removes": []} if number == 5 else {}
        await log.append(number, commit(n=number, **fields))
    for number in {1, 2, 3, 4} - set(left):
        await store.delete(commit_key(thing, number))
    assert [each.number for each in await read_after(store, thing, 0)] == list(range(5, 21))
    assert [each.number for each in await read_after(store, thing, 2)] == list(range(5, 21))
    assert [each.number for each in await read_after(store, thing, 18)] == [19, 20]


async def test_a_log_with_a_hole_that_nothing_stands_for_is_corrupt(store, lease, thing):
    log = CommitLog(store, lease, thing)
    for number in (1, 2, 4):
        await log.append(number, commit(n=number))
    with pytest.raises(Corrupt, match="no commit 3"):
        await read_after(store, thing, 0)


async def test_superseded_commits_go_from_the_newest_to_the_oldest(store, lease, thing):
    """So that what is left when that is cut is a log as it once was, and the commit that stands for it."""
    log = CommitLog(store, lease, thing)
    for number in range(1, 6):
        await log.append(number, commit(n=number))
    gone = []

    class Watched:
        def __getattr__(self, name):
            return getattr(store, name)

        async def put(self, key, body, *, overwrite=False):
            if not body:
                gone.append(key)
            await store.put(key, body, overwrite=overwrite)

    async with CommitLog(Watched(), lease, thing).staged() as staged:
        await staged.append(6, commit(removes=[], id=staged.identifier))
    assert gone == [commit_key(thing, number) for number in (5, 4, 3, 2, 1)]


async def test_the_number_of_a_superseded_commit_is_never_taken_again(store, lease, thing):
    """Else a writer that was paused since it saw 1 would put 2 where nobody reads it, and its rows were lost."""
    log = CommitLog(store, lease, thing)
    await log.append(1, commit(n=1))
    await log.append(2, commit(n=2))
    async with log.staged() as staged:
        await staged.append(3, commit(removes=[], id=staged.identifier))
    with pytest.raises(ObjectExists):
        await log.append(2, commit(n="late"))
    assert [each.number for each in await read_after(store, thing, 0)] == [3]
    assert [each.number for each in await read_after(store, thing, 1)] == [3]


async def test_the_sweep_leaves_what_was_kept_by_a_dead_writer_whose_commit_was_superseded(
    store, acquire, thing, tmp_path
):
    path = tmp_path / "rows"
    path.write_bytes(b"rows")
    dying, living = await acquire("dying"), await acquire("living")
    never_left = CommitLog(store, dying, thing).staged()
    first = await never_left.__aenter__()
    archive = await first.put_file("archive", path, kept=True)
    await first.append(1, commit(removes=[], id=first.identifier))
    await dying.close()
    async with CommitLog(store, living, thing).staged() as second:
        named = commit(removes=[], archives=[archive], id=second.identifier)
        await second.append(2, named)
    await Sweep(store, living).run()
    assert f"{thing}/{archive}" in await keys(store, thing)
    assert await store.get(commit_key(thing, 1)) == b""
    assert await Sweep(store, living).run() == []


async def test_the_sweep_gives_up_what_was_not_committed_and_ends_what_was(
    store, acquire, thing, tmp_path
):
    path = tmp_path / "rows"
    path.write_bytes(b"rows")
    dying, living = await acquire("dying"), await acquire("living")
    log = CommitLog(store, dying, thing)
    await store.put(f"{thing}/old", b"old")
    made, lost = log.staged(), log.staged()
    one, two = await made.__aenter__(), await lost.__aenter__()
    await two.put_file("rows", path)
    await one.put_file("rows", path)
    await one.append(1, commit(data=True, removes=["old"], id=one.identifier))
    await dying.close()
    await Sweep(store, living).run()
    commits = await read_after(store, thing, 0)
    assert commits[0].head.id == one.identifier
    assert [(e.number, e.head.kind, e.head.of) for e in commits[1:]] == [
        (2, GIVEN_UP, two.identifier)
    ]
    assert await keys(store, f"{thing}/changes") == [f"{one.folder}/rows"]
    assert f"{thing}/old" not in await keys(store, thing)
    # The writer was only paused: its number is taken, and its lease is gone.
    with pytest.raises(LeaseLost):
        await two.append(2, commit(data=True, id=two.identifier))
    assert await Sweep(store, living).run() == []
