"""One at a time over all daemons; a dead one's turn is over, a living one's is not."""

from __future__ import annotations

import asyncio

import pytest
from stewardd.repository.backend.folder.store import FolderStore
from stewardd.repository.lease import WriterLease
from stewardd.repository.turns import ROOT, Turns


@pytest.fixture
def store(folder):
    return FolderStore(folder / "repository")


@pytest.fixture
async def daemons(store, folder):
    """Four daemons on one repository."""
    leases = []
    for number in range(4):
        home = folder / f"daemon{number}"
        home.mkdir()
        leases.append(await WriterLease.acquire(store, home))
    yield leases
    for lease in leases:
        await lease.close()


async def test_of_four_daemons_one_at_a_time_has_a_turn_and_each_gets_its_own(store, daemons):
    inside, most, taken = 0, 0, []

    async def work(number: int) -> None:
        nonlocal inside, most
        turns = Turns(store, daemons[number], "dumps", poll_s=0.005)
        for _ in range(5):
            async with turns.take("main"):
                inside += 1
                most = max(most, inside)
                await asyncio.sleep(0.002)
                inside -= 1
                taken.append(number)

    await asyncio.gather(*(work(number) for number in range(4)))
    assert most == 1
    assert sorted(taken) == sorted([0, 1, 2, 3] * 5)
    left = [meta.key async for meta in store.list(ROOT)]
    assert len(left) == 2


async def test_turns_at_different_things_are_taken_at_the_same_time(store, daemons):
    turns = Turns(store, daemons[0], "dumps")
    async with turns.take("one"), turns.take("other"):
        pass


async def test_a_dead_daemons_turn_is_over(store, daemons):
    holding = Turns(store, daemons[0], "dumps").take("main")
    await holding.__aenter__()
    waited = []
    other = Turns(store, daemons[1], "dumps", poll_s=0.01)

    async def take() -> None:
        async with other.take("main", on_wait=lambda: waited.append(1)):
            pass

    taking = asyncio.create_task(take())
    while not waited:
        await asyncio.sleep(0.01)
    assert not taking.done()
    await daemons[0].close()
    await taking


async def test_one_who_is_cancelled_while_waiting_leaves_nothing_that_others_wait_for(
    store, daemons
):
    turns = [Turns(store, lease, "dumps", poll_s=0.01) for lease in daemons]
    async with turns[0].take("main"):
        waiting = asyncio.create_task(turns[1].take("main").__aenter__())
        await asyncio.sleep(0.05)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    async with turns[2].take("main"):
        pass


async def test_a_number_that_is_created_from_an_old_listing_is_given_up(
    store, daemons, monkeypatch
):
    late = Turns(store, daemons[1], "dumps", poll_s=0.01)
    listed = late._names
    stale = [set[str]()]

    async def once_stale(folder: str) -> set[str]:
        return stale.pop() if stale else await listed(folder)

    async with Turns(store, daemons[0], "dumps").take("main"):
        pass
    async with Turns(store, daemons[0], "dumps").take("main"):
        monkeypatch.setattr(late, "_names", once_stale)
        folder = (await store.folders(f"{ROOT}/dumps"))[0]
        assert await late._try(f"{ROOT}/dumps/{folder}") is None
        assert stale == []
    async with late.take("main"):
        pass
