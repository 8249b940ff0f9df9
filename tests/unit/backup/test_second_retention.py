"""The copies in a second repository have a retention of their own, and no database loses its last good copy there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from stewardd.backup.catalog import KIND
from stewardd.backup.copying.copies import BackupCopies
from stewardd.backup.copying.retention import RetentionRules, SecondRetention
from stewardd.backup.copying.second_repository import SecondRepository
from stewardd.backup.deletion import PinRequest
from stewardd.backup.listing import BackupFilter, BackupListing
from stewardd.backup.proof import BackupProof, ProofState
from stewardd.backup.repositories import BackupListings, RepositoryName, Retentions
from stewardd.backup.retention.policy import Counting, RetentionPolicy
from stewardd.backup.states import ROOT, STATE_CODEC, UNTOUCHED, BackupState, BackupStates
from stewardd.errors import BackupDeleted, InvalidRequest, NoSecondRepository, RepositoryDown
from stewardd.repository.backend.folder.store import FolderStore
from stewardd.repository.claims import Claims
from stewardd.repository.identifiers import folder_of

from tests.support.backups import NOW, Keeper
from tests.support.stored_backup import objects

POLICY = RetentionPolicy(counting=Counting.COMPLETE, window=timedelta(days=3), min_keep=1)
LATER = timedelta(days=2)


class Copied:
    """A first repository with daily backups, which a second one has copies of, and the retention of each."""

    def __init__(self, first: FolderStore, place: SecondRepository, claims: Claims, scratch: Path):
        self.keeper = Keeper(first)
        self.second = place
        self.claims = claims
        self.policy = POLICY
        self.now = NOW
        self.counted = 0
        self.copies = BackupCopies(first, claims, place, scratch, lambda: datetime.now(UTC))
        self.retention = self.retention_of_another_daemon()

    def retention_of_another_daemon(self) -> SecondRetention:
        rules = RetentionRules(lambda _: self.policy, lambda: self.now, lambda name: name or "main")
        return SecondRetention(self.second, self.claims, self.keeper.states, rules, self.count)

    def count(self, deleted: int) -> None:
        self.counted += deleted

    async def copied(self, days: int) -> list[str]:
        ids = await self.keeper.store_daily(days)
        await self.copies.catch_up()
        return ids

    async def there(self) -> set[str]:
        """The backups whose data are in the second repository."""
        store = await self.second.store()
        return {meta.key.split("/")[2] async for meta in store.list(KIND)}


@pytest.fixture
def copied(first: FolderStore, second: FolderStore, claims: Claims, scratch: Path) -> Copied:
    return Copied(first, SecondRepository(str(second.root), {}), claims, scratch)


async def test_copies_go_by_the_policy_of_the_second_repository_and_backups_by_that_of_the_first(
    copied: Copied,
) -> None:
    ids = await copied.copied(10)
    await copied.retention.run()
    assert await copied.there() == set(ids)  # marked, and within their grace
    copied.now += LATER
    await copied.retention.run()
    assert await copied.there() == set(ids[:3])
    assert copied.counted == 7
    assert {each.backup_id for each in await copied.keeper.inventory.read()} == set(ids)
    assert not any(each.state.deleted for each in await copied.keeper.inventory.read())
    await copied.copies.catch_up()  # what the retention deleted is not copied again
    assert await copied.there() == set(ids[:3])
    assert (await copied.keeper.pruning.prune(None, "mia")).deleted == tuple(ids[7:])


async def test_time_alone_deletes_no_copy_and_the_last_good_one_stays(copied: Copied) -> None:
    ids = await copied.copied(3)
    for _ in range(20):
        copied.now += timedelta(days=30)
        await copied.retention.run()
    assert await copied.there() == set(ids)
    (seen,) = (await copied.retention.pruning()).seen.values()
    assert seen.plan.halted
    assert seen.has_no_recent_backup
    # Somebody marks all of them by hand: the newest good one keeps its data.
    store = await copied.second.store()
    state = STATE_CODEC.encode(BackupState(NOW, delete_time=NOW))
    for each in ids:
        await store.put(f"{folder_of(ROOT, each)}/000001.json", state)
    copied.now += LATER
    await copied.retention_of_another_daemon().run()
    assert await copied.there() == {ids[0]}


async def test_what_is_pinned_in_the_first_repository_stays_in_the_second(copied: Copied) -> None:
    ids = await copied.copied(8)
    await copied.keeper.deletion.pin(ids[-1], PinRequest(True, "the oldest", "mia"))
    for _ in range(2):
        await copied.retention.run()
        copied.now += LATER
    await copied.retention.run()
    assert await copied.there() == {*ids[:3], ids[-1]}


async def test_a_pin_is_kept_when_the_first_repository_is_lost_and_taken_back_when_it_says_so(
    copied: Copied, first: FolderStore, tmp_path: Path
) -> None:
    ids = await copied.copied(8)
    await copied.keeper.deletion.pin(ids[-1], PinRequest(True, "the oldest", "mia"))
    await copied.keeper.deletion.pin(ids[-2], PinRequest(True, "", "mia"))
    await copied.retention.run()
    await copied.keeper.deletion.pin(ids[-2], PinRequest(False, "", "mia"))
    await copied.retention.run()
    kept = await BackupStates(await copied.second.store()).of(ids[-1])
    assert kept.state is not None
    assert kept.state.pin_note == "the oldest"
    first.root.rename(tmp_path / "lost")  # as a disk that is not mounted: nothing is deleted
    copied.now += LATER
    with pytest.raises(RepositoryDown):
        await copied.retention_of_another_daemon().run()
    assert await copied.there() == set(ids)
    FolderStore(first.root)  # an empty repository in its place
    copied.keeper = Keeper(first)
    for _ in range(3):
        await copied.retention_of_another_daemon().run()
        copied.now += LATER
    assert await copied.there() == {*ids[:3], ids[-1]}


async def test_only_proven_copies_count_unless_the_policy_says_otherwise(copied: Copied) -> None:
    copied.policy = RetentionPolicy()
    ids = await copied.copied(9)
    await copied.retention.run()
    copied.now += LATER
    await copied.retention.run()
    assert await copied.there() == set(ids)


async def test_the_proof_of_a_backup_is_that_of_its_copy(copied: Copied) -> None:
    copied.policy = RetentionPolicy(window=timedelta(days=3), min_keep=1)
    ids = await copied.copied(6)
    for number, each in enumerate(ids):
        outcome = ProofState.CORRUPT if number == 4 else ProofState.VERIFIED
        state = BackupState(NOW, proof=BackupProof(outcome, NOW))
        await copied.keeper.states.commit(each, UNTOUCHED, state)
    verdicts = (await (await copied.retention.pruning()).plan("main")).plan.verdicts
    assert [each.reason.value for each in verdicts] == [
        *["YOUNG"] * 3, "EXPIRED", "CORRUPT", "EXPIRED",
    ]  # fmt: skip


async def test_each_repository_lists_what_lies_there_with_its_own_marks(copied: Copied) -> None:
    ids = await copied.copied(5)
    proof = BackupProof(ProofState.VERIFIED, NOW)
    await copied.keeper.states.commit(ids[0], UNTOUCHED, BackupState(NOW, proof=proof))
    await copied.retention.run()  # which marks the copies that are older than three days
    both = BackupListings(copied.keeper.listing, copied.retention)
    first, second = [await both.of(each) for each in RepositoryName]

    async def found(listing: BackupListing, *, deleted: bool = False) -> list[str]:
        wanted = BackupFilter("main", deleted=deleted)
        page = await listing.page(wanted, page_size=10)
        return [each.manifest.backup_id for each in page.items]

    assert await found(first) == ids
    assert await found(first, deleted=True) == []
    assert await found(second) == ids[:3]
    assert await found(second, deleted=True) == ids[3:]
    newest, oldest = await second.get(ids[0]), await second.get(ids[-1])
    assert (newest.proof, newest.purge_time) == (proof, None)
    assert oldest.proof is None
    assert oldest.purge_time == NOW + POLICY.grace
    token = (await first.page(BackupFilter(), page_size=1)).next_page_token
    with pytest.raises(InvalidRequest, match="another listing"):
        await second.page(BackupFilter(), page_size=1, page_token=token)
    with pytest.raises(NoSecondRepository):
        await BackupListings(copied.keeper.listing, None).of(RepositoryName.SECOND)


async def test_a_copy_that_is_asked_for_takes_its_deletion_back(
    copied: Copied, first: FolderStore, second: FolderStore
) -> None:
    ids = await copied.copied(6)
    await copied.retention.run()
    states = BackupStates(second)
    assert (await states.of(ids[-1])).deleted
    await copied.copies.copy(ids[-1], lambda _: None)
    assert not (await states.of(ids[-1])).deleted
    copied.now += LATER
    await copied.keeper.deletion.pin(ids[-1], PinRequest(True, "", "mia"))
    await copied.retention.run()
    assert await objects(second, ids[-1]) == await objects(first, ids[-1])
    # While its data are being removed it cannot be had; afterwards it is made anew.
    going = ids[-2]
    store = await copied.second.store()
    state = BackupState(NOW, delete_time=NOW, purging=True)
    await store.put(f"{folder_of(ROOT, going)}/000009.json", STATE_CODEC.encode(state))
    with pytest.raises(BackupDeleted, match="being removed"):
        await copied.copies.copy(going, lambda _: None)
    await copied.retention.run()
    assert await objects(second, going) == {}
    await copied.copies.copy(going, lambda _: None)
    assert await objects(second, going) == await objects(first, going)


async def test_a_purge_leaves_alone_what_is_being_copied(
    copied: Copied, first: FolderStore, second: FolderStore
) -> None:
    """Otherwise the copier would put a manifest whose objects the purge has just removed."""
    ids = await copied.copied(6)
    await copied.retention.run()
    copied.now += LATER
    async with copied.second.exclusively(copied.claims, ids[-1]):
        await copied.retention.run()
        assert await objects(second, ids[-1]) == await objects(first, ids[-1])
    await copied.retention.run()
    assert await objects(second, ids[-1]) == {}


async def test_two_daemons_that_prune_and_purge_at_once_leave_what_the_policy_keeps(
    copied: Copied,
) -> None:
    ids = await copied.copied(12)
    others = [copied.retention_of_another_daemon() for _ in range(3)]
    await asyncio.gather(*(each.run() for each in others))
    copied.now += LATER
    await asyncio.gather(*(each.run() for each in others))
    await others[0].run()
    assert await copied.there() == set(ids[:3])


async def test_a_second_repository_that_is_away_is_pruned_when_it_is_back(
    copied: Copied, second: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> Callable[..., object]:
        async def refuse(*_: object) -> object:
            raise RepositoryDown("the second repository does not answer")

        return refuse

    ids = await copied.copied(6)
    with monkeypatch.context() as cut:
        cut.setattr("stewardd.backup.copying.second_repository.open_repository", away())
        retention = SecondRetention(
            SecondRepository(str(second.root), {}),
            copied.claims,
            copied.keeper.states,
            RetentionRules(lambda _: POLICY, lambda: NOW, lambda name: name or "main"),
        )
        with pytest.raises(RepositoryDown):
            await retention.run()
    await retention.run()
    found = [each async for each in second.list(ROOT)]
    assert len(found) == len(ids[3:])


async def test_each_repository_has_the_retention_of_its_name(copied: Copied) -> None:
    both = Retentions(copied.keeper.pruning, copied.retention)
    assert await both.of(RepositoryName.FIRST) is copied.keeper.pruning
    assert RepositoryName.SECOND not in both.seen()
    assert await both.of(RepositoryName.SECOND) is await copied.retention.pruning()
    with pytest.raises(NoSecondRepository):
        await Retentions(copied.keeper.pruning, None).of(RepositoryName.SECOND)
