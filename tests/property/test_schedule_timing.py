"""Due moments: against each minute that there is, over both days of a clock change, and whatever the clock does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stewardd.backup.schedules.timing import Timing
from stewardd.errors import ScheduleInvalid

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia")
START = datetime(2026, 1, 1, tzinfo=UTC)

minutes = st.integers(0, 60 * 24 * 900).map(lambda count: START + timedelta(minutes=count))
fields = st.tuples(
    st.sampled_from(("0", "30", "59", "*/20", "15,45")),
    st.sampled_from(("0", "1", "2", "3", "*", "*/6", "2-3")),
    st.sampled_from(("*", "1", "L", "*/7")),
    st.sampled_from(("*", "3,10", "2")),
    st.sampled_from(("*", "SUN", "1-5")),
).map(" ".join)
timings = st.one_of(
    st.builds(Timing, cron=fields, time_zone=st.sampled_from(ZONES)),
    st.builds(Timing, interval=st.integers(60, 90_000).map(lambda s: timedelta(seconds=s))),
)


@given(timings, minutes, st.integers(1, 60 * 24 * 3))
@settings(deadline=None)
def test_the_due_moments_do_not_depend_on_where_one_begins(
    timing: Timing, start: datetime, later: int
) -> None:
    other = start + timedelta(minutes=later)
    moment = start
    from_start: list[datetime] = []
    while (due := timing.next_due(moment)) is not None and len(from_start) < 400:
        from_start.append(due)
        moment = due
        if due > other:
            assert timing.next_due(other) == due
            break
    assert from_start == sorted(set(from_start))


@given(timings, minutes)
@settings(deadline=None)
def test_the_last_due_moment_is_the_one_before_the_next(timing: Timing, now: datetime) -> None:
    last, following = timing.last_due(now, "a"), timing.next_due(now)
    assert last is not None
    assert following is not None
    assert last <= now < following
    assert timing.next_due(last) == following


@given(
    st.sampled_from(("30 2 * * *", "0 3 * * *", "15 1 * * 0")),
    st.sampled_from(ZONES),
    st.integers(2026, 2035),
)
@settings(deadline=None)
def test_a_daily_time_comes_once_on_each_day_of_a_year(cron: str, zone: str, year: int) -> None:
    """Also on the day on which a clock is set forward past it, and on the one on which it comes twice."""
    timing = Timing(cron=cron, time_zone=zone)
    moment = datetime(year, 1, 1, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    end = datetime(year + 1, 1, 1, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    days = []
    while (due := timing.next_due(moment)) is not None and due < end:
        days.append(due.astimezone(ZoneInfo(zone)).date())
        moment = due
    step = 7 if cron.endswith("0") and "* *" in cron and cron.split()[4] == "0" else 1
    assert len(days) == len(set(days))
    assert all((after - before).days == step for before, after in pairwise(days))
    assert len(days) in ((52, 53) if step == 7 else (365, 366))


@given(timings, minutes, st.lists(st.integers(-3000, 3000), min_size=1, max_size=30))
@settings(deadline=None)
def test_a_clock_that_is_stepped_back_and_forth_runs_each_due_moment_once(
    timing: Timing, start: datetime, steps: list[int]
) -> None:
    """A ledger of what was run is all that a daemon keeps; what is due follows from the clock alone."""
    ran: list[datetime] = []
    now = start
    for step in steps:
        now += timedelta(minutes=step)
        due = timing.last_due(now, "a")
        assert due is not None
        assert due <= now
        if due > start and due not in ran:
            ran.append(due)
    assert len(ran) == len(set(ran))
    for each in ran:
        assert timing.next_due(each - timedelta(microseconds=1)) == each


@given(minutes, st.integers(1, 3599), st.text(max_size=5))
@settings(deadline=None)
def test_jitter_delays_each_run_by_the_same_time_for_every_daemon(
    now: datetime, jitter_s: int, seed: str
) -> None:
    timing = Timing(cron="0 * * * *", jitter=timedelta(seconds=jitter_s))
    timing.check(now)
    due = timing.last_due(now, seed)
    assert due is not None
    delay = timing.delay(due, seed)
    assert timedelta(0) <= delay < timing.jitter
    assert due + delay <= now
    following = timing.next_due(due)
    assert following is not None
    assert following + timing.delay(following, seed) > now


@pytest.mark.parametrize(
    ("timing", "words"),
    [
        (Timing(cron="0 0 30 2 *"), "never comes"),
        (Timing(cron="0 0 31 4,6 *"), "never comes"),
        (Timing(cron="61 * * * *"), "no cron expression"),
        (Timing(cron="* * * *"), "five fields"),
        (Timing(cron="0 0 0 * * *"), "five fields"),
        (Timing(cron="daily"), "five fields"),
        (Timing(cron="30 2 * * *", time_zone="Europe/Atlantis"), "no time zone"),
        (Timing(cron="30 2 * * *", time_zone="../../etc/passwd"), "no time zone"),
        (Timing(cron="30 2 * * *", time_zone=""), "no time zone"),
        (Timing(), "a cron expression or an interval"),
        (Timing(cron="* * * * *", interval=timedelta(hours=1)), "or an interval"),
        (Timing(interval=timedelta(milliseconds=1)), "shorter than a second"),
        (Timing(interval=timedelta(days=400)), "longer than a year"),
        (Timing(cron="* * * * *", jitter=timedelta(seconds=60)), "not shorter than the 60 s"),
        (Timing(interval=timedelta(hours=1), jitter=timedelta(hours=2)), "not shorter"),
        (Timing(interval=timedelta(hours=1), jitter=timedelta(hours=-2)), "negative"),
    ],
    ids=str,
)
def test_what_never_comes_is_refused_by_name(timing: Timing, words: str) -> None:
    with pytest.raises(ScheduleInvalid, match=words):
        timing.check(START)


def test_the_29th_of_february_comes() -> None:
    timing = Timing(cron="0 0 29 2 *")
    timing.check(START)
    assert timing.last_due(START, "") == datetime(2024, 2, 29, tzinfo=UTC)
    assert timing.next_due(START) == datetime(2028, 2, 29, tzinfo=UTC)
