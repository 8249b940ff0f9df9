"""The retention against a plain model of its rules, and against what must never happen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st
from stewardd.backup.proof import ProofState
from stewardd.backup.retention.plan import RetentionReason, plan
from stewardd.backup.retention.policy import Candidate, Counting, RetentionPolicy
from stewardd.backup.retention.removal import Marked, is_last_good, to_purge

NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
ZONES = (UTC, ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York"), ZoneInfo("Pacific/Apia"))

policies = st.builds(
    RetentionPolicy,
    window=st.integers(1, 30 * 24).map(lambda hours: timedelta(hours=hours)),
    min_keep=st.integers(1, 4),
    counting=st.sampled_from(Counting),
    daily=st.integers(0, 5),
    weekly=st.integers(0, 5),
    monthly=st.integers(0, 5),
    yearly=st.integers(0, 3),
    zone=st.sampled_from(ZONES),
    grace=st.integers(0, 48).map(lambda hours: timedelta(hours=hours)),
)


# Ages in quarters of an hour, some negative: a clock that was set back leaves backups of the future.
ages = st.one_of(st.integers(-40, 4 * 24 * 12), st.integers(0, 4 * 24 * 900))
kinds = st.tuples(ages, st.sampled_from(ProofState), st.sampled_from((False, False, False, True)))


def inventories(most: int = 24) -> st.SearchStrategy[list[Candidate]]:
    return st.lists(kinds, max_size=most).map(
        lambda found: [
            Candidate(f"{number:04}", NOW - timedelta(minutes=15 * age), proof, pinned)
            for number, (age, proof, pinned) in enumerate(found)
        ]
    )


def counts(policy: RetentionPolicy, backup: Candidate) -> bool:
    return (
        backup.proof is ProofState.VERIFIED
        if policy.counting is Counting.VERIFIED
        else backup.proof is not ProofState.CORRUPT
    )


def kept_by_the_model(backups: list[Candidate], policy: RetentionPolicy, now: datetime) -> set[str]:
    """The rules one by one, each over the whole list, as a person would write them down."""
    past = [each for each in backups if each.time <= now]
    good = [each for each in past if counts(policy, each)]
    if not [each for each in good if each.time > now - policy.window]:
        return {each.backup_id for each in backups}
    kept = {each.backup_id for each in backups if each.pinned or each.time > now}
    newest = max(each.time for each in good)
    kept |= {each.backup_id for each in past if each.time > newest - policy.window}
    if policy.counting is Counting.VERIFIED:
        unproven = (ProofState.PENDING, ProofState.COULD_NOT_RUN, ProofState.UNVERIFIABLE)
        kept |= {each.backup_id for each in past if each.proof in unproven}
    by_age = sorted(good, key=lambda each: (each.time, each.backup_id))
    kept |= {each.backup_id for each in by_age[-policy.min_keep :]}
    forms = {
        "%Y-%m-%d": policy.daily,
        "%G-%V": policy.weekly,
        "%Y-%m": policy.monthly,
        "%Y": policy.yearly,
    }
    for form, number in forms.items():
        of_period = {each.time.astimezone(policy.zone).strftime(form): each for each in by_age}
        periods = sorted(of_period, key=lambda period: of_period[period].time)
        kept |= {
            of_period[period].backup_id
            for period in periods[len(periods) - min(number, len(periods)) :]
        }
    return kept


@given(inventories(), policies)
def test_a_plan_keeps_what_the_model_keeps(
    backups: list[Candidate], policy: RetentionPolicy
) -> None:
    found = plan(backups, policy, NOW)
    assert {each.backup_id for each in found.verdicts if each.keeps} == kept_by_the_model(
        backups, policy, NOW
    )
    assert [each.backup_id for each in found.verdicts] == [
        each.backup_id
        for each in sorted(backups, key=lambda each: (each.time, each.backup_id), reverse=True)
    ]
    assert all(each.explanation for each in found.verdicts)


@given(inventories(), policies)
def test_what_must_never_be_deleted_never_is(
    backups: list[Candidate], policy: RetentionPolicy
) -> None:
    by_id = {each.backup_id: each for each in backups}
    found = plan(backups, policy, NOW)
    going = [by_id[each.backup_id] for each in found.going]
    kept = [by_id[each.backup_id] for each in found.verdicts if each.keeps]
    good = [each for each in backups if counts(policy, each)]
    assert not any(each.pinned for each in going)
    assert not any(NOW - each.time < policy.window for each in going)
    assert sum(counts(policy, each) for each in kept) >= min(policy.min_keep, len(good))
    if policy.counting is Counting.VERIFIED:
        assert {each.proof for each in going} <= {ProofState.VERIFIED, ProofState.CORRUPT}
    if found.halted:
        assert not going
    if going:  # a good one is young enough
        assert any(timedelta(0) <= NOW - each.time < policy.window for each in good)


@given(inventories(), policies, st.lists(st.integers(1, 24 * 800), max_size=6).map(sorted))
def test_time_alone_deletes_nothing(
    backups: list[Candidate], policy: RetentionPolicy, hours: list[int]
) -> None:
    """Seven days of failing backups, or years of them: what is there when they begin to fail stays."""
    left = [each for each in backups if each.time <= NOW]
    gone = {each.backup_id for each in plan(left, policy, NOW).going}
    left = [each for each in left if each.backup_id not in gone]
    for each in hours:
        assert plan(left, policy, NOW + timedelta(hours=each)).going == []
    later = NOW + policy.window + timedelta(hours=1)
    assert plan(left, policy, later).halted == bool(left)


@given(inventories(), policies)
def test_a_second_pruning_at_the_same_moment_finds_nothing_more(
    backups: list[Candidate], policy: RetentionPolicy
) -> None:
    gone = {each.backup_id for each in plan(backups, policy, NOW).going}
    left = [each for each in backups if each.backup_id not in gone]
    assert plan(left, policy, NOW).going == []


@given(inventories(), policies, st.data())
def test_another_good_backup_never_condemns_what_is_newer(
    backups: list[Candidate], policy: RetentionPolicy, data: st.DataObject
) -> None:
    """What is deleted follows from what is newer: an older backup that turns up changes nothing for the others."""
    oldest = min((each.time for each in backups), default=NOW)
    older = Candidate("zzzz", oldest - timedelta(days=1), data.draw(st.sampled_from(ProofState)))
    before = {each.backup_id for each in plan(backups, policy, NOW).going}
    after = {each.backup_id for each in plan([*backups, older], policy, NOW).going}
    assert after - {"zzzz"} <= before


marks = st.tuples(st.integers(0, 96), st.sampled_from((False, False, False, True)))


@given(inventories(6), inventories(10), policies, st.lists(marks, min_size=10, max_size=10))
def test_a_purge_leaves_a_good_backup_wherever_there_was_one(
    kept: list[Candidate],
    gone: list[Candidate],
    policy: RetentionPolicy,
    marked_at: list[tuple[int, bool]],
) -> None:
    marked = [
        Marked(
            Candidate(f"m{each.backup_id}", each.time, each.proof),
            NOW - timedelta(hours=hours),
            purging,
        )
        for each, (hours, purging) in zip(gone, marked_at, strict=False)
    ]
    purged = set(to_purge(marked, kept, policy, NOW))
    whole = [each.backup for each in marked if not each.purging]
    left = [*kept, *(each for each in whole if each.backup_id not in purged)]
    before = [*kept, *whole]
    if any(each.proof is ProofState.VERIFIED for each in before):
        assert any(each.proof is ProofState.VERIFIED for each in left)
    if any(each.proof is not ProofState.CORRUPT for each in before):
        assert any(each.proof is not ProofState.CORRUPT for each in left)
    for each in marked:
        if each.purging:
            assert each.backup.backup_id in purged
        elif NOW - each.deleted_at < policy.grace:
            assert each.backup.backup_id not in purged


@given(inventories())
def test_the_last_good_backup_is_the_one_without_which_there_is_none(
    backups: list[Candidate],
) -> None:
    for each in backups:
        others = [other for other in backups if other is not each]

        def best(some: list[Candidate]) -> int:
            rank = {ProofState.VERIFIED: 2, ProofState.CORRUPT: 0}
            return max((rank.get(one.proof, 1) for one in some), default=0)

        assert is_last_good(each, others) == (best(others) < best(backups))


def test_the_default_policy_deletes_no_unproven_backup() -> None:
    young = [
        Candidate(f"v{day}", NOW - timedelta(days=day), ProofState.VERIFIED) for day in range(40)
    ]
    unproven = [
        Candidate(f"p{day}", NOW - timedelta(days=day), ProofState.PENDING) for day in range(40)
    ]
    found = plan(young + unproven, RetentionPolicy(), NOW)
    assert [each.backup_id for each in found.going] == [f"v{day}" for day in range(7, 40)]
    alone = plan(unproven, RetentionPolicy(), NOW)
    assert alone.halted
    assert {each.reason for each in alone.verdicts} == {
        RetentionReason.YOUNG,
        RetentionReason.NO_RECENT_BACKUP,
    }
