"""A request is served once, however often it is sent, and whoever dies over it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from stewardd.errors import RequestIdReused, RequestInProgress
from stewardd.repository.backend.folder.store import FolderStore
from stewardd.repository.claims import Answered, Claim, Claimed, Claims, claim_folder
from stewardd.repository.identifiers import uuid7
from stewardd.repository.lease import WriterLease
from stewardd.repository.publication import manifest_key, publish

from tests.support.documents import ANYTHING

pytestmark = pytest.mark.asyncio

Acquire = Callable[..., Awaitable[WriterLease]]


def fresh(outcome: Claimed | Answered) -> Claim:
    assert isinstance(outcome, Claimed)
    return outcome.claim


async def killed(store: FolderStore, tmp_path: Path) -> WriterLease:
    """A lease whose daemon is gone without a word, on the data folder `data`."""
    lease = await WriterLease.acquire(store, tmp_path / "data")
    lease._heart.cancel()  # type: ignore[union-attr]
    lease._identity.release()
    return lease


async def test_the_second_of_two_equal_requests_gets_the_first_ones_answer(
    store: FolderStore, lease: WriterLease
) -> None:
    claims = Claims(store, lease)
    claim = fresh(await claims.claim("ValidateBatch", "id 1/ü", "f"))
    with pytest.raises(RequestInProgress):
        await claims.claim("ValidateBatch", "id 1/ü", "f")
    await claim.answer("batches/1")
    assert await claims.claim("ValidateBatch", "id 1/ü", "f") == Answered("batches/1")


async def test_an_id_is_refused_to_another_request_at_every_stage(
    store: FolderStore, lease: WriterLease
) -> None:
    claims = Claims(store, lease)
    claim = fresh(await claims.claim("m", "id", "f"))
    with pytest.raises(RequestIdReused):
        await claims.claim("m", "id", "other")
    await claim.release()
    with pytest.raises(RequestIdReused):
        await claims.claim("m", "id", "other")
    await fresh(await claims.claim("m", "id", "f")).answer("r")
    with pytest.raises(RequestIdReused):
        await claims.claim("m", "id", "other")


async def test_the_same_id_under_another_method_is_another_request(
    store: FolderStore, lease: WriterLease
) -> None:
    claims = Claims(store, lease)
    fresh(await claims.claim("a", "id", "f"))
    fresh(await claims.claim("b", "id", "g"))


async def test_what_failed_may_be_tried_again(store: FolderStore, lease: WriterLease) -> None:
    claims = Claims(store, lease)
    for number in range(1, 4):
        claim = fresh(await claims.claim("m", "id", "f"))
        assert claim.number == number
        await claim.release()


async def test_a_claim_whose_caller_is_cancelled_at_any_moment_leaves_the_request_free(
    store: FolderStore, lease: WriterLease
) -> None:
    claims = Claims(store, lease)
    for moment in range(200):
        claiming = asyncio.create_task(claims.claim("m", f"id {moment}", "f"))
        # Threads of the store take a few milliseconds; steps of a fifth of one fall on all of its moments.
        await asyncio.sleep(moment / 5000)
        if not claiming.cancel():
            break
        with pytest.raises(asyncio.CancelledError):
            await claiming
        assert isinstance(await claims.claim("m", f"id {moment}", "f"), Claimed)
    assert moment > 0


async def test_of_many_that_race_one_serves(store: FolderStore, lease: WriterLease) -> None:
    claims = Claims(store, lease)
    outcomes = await asyncio.gather(
        *(claims.claim("m", "id", "f") for _ in range(20)), return_exceptions=True
    )
    assert sum(isinstance(outcome, Claimed) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, RequestInProgress) for outcome in outcomes) == 19


async def test_of_many_that_race_for_a_dead_ones_claim_one_takes_it_over(
    store: FolderStore, tmp_path: Path, acquire: Acquire
) -> None:
    dead = await killed(store, tmp_path)
    fresh(await Claims(store, dead).claim("m", "id", "f"))
    others = [await acquire(name) for name in ("b", "c", "data")]
    outcomes = await asyncio.gather(
        *(Claims(store, other).claim("m", "id", "f") for other in others * 5),
        return_exceptions=True,
    )
    taken = [outcome for outcome in outcomes if isinstance(outcome, Claimed)]
    assert [each.claim.number for each in taken] == [2]


async def test_a_live_claimant_of_another_daemon_is_waited_for(
    store: FolderStore, acquire: Acquire
) -> None:
    fresh(await Claims(store, await acquire("a")).claim("m", "id", "f"))
    with pytest.raises(RequestInProgress):
        await Claims(store, await acquire("b")).claim("m", "id", "f")


async def test_what_a_claimant_published_before_it_died_is_the_answer(
    store: FolderStore, tmp_path: Path, acquire: Acquire
) -> None:
    dead = await killed(store, tmp_path)
    identifier = uuid7()
    plan = {
        "resource": f"batches/{identifier}",
        "manifest_key": manifest_key("batches", identifier),
    }
    fresh(await Claims(store, dead).claim("m", "id", "f", **plan))
    async with publish(store, dead, "batches", identifier) as draft:
        await draft.commit(ANYTHING.encode({}))
    restarted = Claims(store, await acquire("data"))
    assert await restarted.claim("m", "id", "f") == Answered(f"batches/{identifier}")


async def test_what_a_claimant_published_is_the_answer_while_it_lives_too(
    store: FolderStore, lease: WriterLease
) -> None:
    identifier = uuid7()
    plan = {
        "resource": f"batches/{identifier}",
        "manifest_key": manifest_key("batches", identifier),
    }
    claims = Claims(store, lease)
    fresh(await claims.claim("m", "id", "f", **plan))
    async with publish(store, lease, "batches", identifier) as draft:
        await draft.commit(ANYTHING.encode({}))
    assert await claims.claim("m", "id", "f") == Answered(f"batches/{identifier}")


async def test_a_claimant_that_is_taken_over_can_publish_no_more(
    store: FolderStore, tmp_path: Path, acquire: Acquire
) -> None:
    paused = await killed(store, tmp_path)
    identifier = uuid7()
    plan = {
        "resource": f"batches/{identifier}",
        "manifest_key": manifest_key("batches", identifier),
    }
    fresh(await Claims(store, paused).claim("m", "id", "f", **plan))

    async def publish_late() -> None:
        async with publish(store, paused, "batches", identifier) as draft:
            fresh(await Claims(store, await acquire("data")).claim("m", "id", "f"))
            await draft.commit(ANYTHING.encode({}))

    with pytest.raises(Exception, match="given up"):
        await publish_late()


async def test_old_requests_are_forgotten_and_young_ones_are_not(
    store: FolderStore, lease: WriterLease
) -> None:
    claims = Claims(store, lease)
    await fresh(await claims.claim("m", "old", "f")).answer("r")
    await asyncio.sleep(0.3)
    await fresh(await claims.claim("m", "new", "f")).answer("r")
    assert await claims.expire(0.2) == 1
    assert [each.key async for each in store.list(claim_folder("m", "old"))] == []
    assert await claims.claim("m", "new", "f") == Answered("r")
