"""The breaker by examples: what opens it, what closes it, and what can do neither."""

from __future__ import annotations

import pytest
from stewardd.errors import CircuitOpen
from stewardd.postgres.breaker import Breaker, BreakerOptions, BreakerState, Ticket, TransitionCause

OPTIONS = BreakerOptions(failures=3, open_s=60, jitter=0.1, probes=1, lease_s=10)


def make_breaker(options: BreakerOptions = OPTIONS, chance: float = 0.5) -> Breaker:
    return Breaker("main", options, lambda: chance, 0.0)


def opened(options: BreakerOptions = OPTIONS, chance: float = 0.5) -> Breaker:
    """A breaker that opened at 0 s."""
    breaker = make_breaker(options, chance)
    for _ in range(options.failures):
        breaker.failed(breaker.admit(0.0), 0.0)
    assert state(breaker, 0.0) is BreakerState.OPEN
    return breaker


def state(breaker: Breaker, now_s: float) -> BreakerState:
    return breaker.view(now_s).state


def refused(breaker: Breaker, now_s: float) -> CircuitOpen:
    with pytest.raises(CircuitOpen) as caught:
        breaker.admit(now_s)
    return caught.value


def test_failures_in_a_row_open_it_and_one_success_between_them_does_not():
    breaker = make_breaker()
    for success in (False, False, True, False, False):
        report = breaker.succeeded if success else breaker.failed
        report(breaker.admit(0.0), 0.0)
    assert state(breaker, 0.0) is BreakerState.CLOSED
    breaker.failed(breaker.admit(0.0), 0.0)
    assert state(breaker, 0.0) is BreakerState.OPEN


@pytest.mark.parametrize(("chance", "half_open_at_s"), [(0.0, 54.0), (0.5, 60.0), (1.0, 66.0)])
def test_its_time_is_spread_so_that_breakers_that_opened_together_do_not_try_together(
    chance, half_open_at_s
):
    breaker = opened(chance=chance)
    assert breaker.view(0.0).half_open_at_s == pytest.approx(half_open_at_s)
    refused(breaker, half_open_at_s - 0.001)
    breaker.admit(half_open_at_s + 0.001)


def test_the_database_that_is_seen_ends_the_waiting_early():
    breaker = opened()
    breaker.database_seen(2.0)
    assert state(breaker, 2.0) is BreakerState.HALF_OPEN
    breaker.succeeded(breaker.admit(2.0), 2.1)
    assert state(breaker, 2.1) is BreakerState.CLOSED


def test_of_twenty_callers_at_half_open_one_is_let_in():
    breaker = opened()
    breaker.database_seen(1.0)
    probe = breaker.admit(1.0)
    assert breaker.is_probe(probe)
    for _ in range(19):
        assert refused(breaker, 1.0).metadata["state"] == "half_open"
    breaker.succeeded(probe, 1.2)
    assert not breaker.is_probe(breaker.admit(1.2))


def test_a_probe_that_fails_opens_it_for_a_whole_time_again():
    breaker = opened()
    breaker.database_seen(30.0)
    breaker.failed(breaker.admit(30.0), 31.0)
    assert breaker.view(31.0).half_open_at_s == pytest.approx(91.0)


def test_a_probe_that_is_cancelled_makes_room_for_the_next_at_once():
    breaker = opened()
    breaker.database_seen(1.0)
    breaker.cancelled(breaker.admit(1.0))
    breaker.admit(1.0)


def test_a_probe_that_never_reports_loses_its_lease_and_its_say():
    breaker = opened()
    breaker.database_seen(1.0)
    lost = breaker.admit(1.0)
    refused(breaker, 10.9)
    following = breaker.admit(11.0)
    breaker.succeeded(lost, 11.5)
    assert state(breaker, 11.5) is BreakerState.HALF_OPEN
    breaker.succeeded(following, 12.0)
    assert state(breaker, 12.0) is BreakerState.CLOSED


def test_a_probe_that_reports_after_its_lease_decides_nothing_even_when_nobody_came_since():
    breaker = opened()
    breaker.database_seen(1.0)
    breaker.succeeded(breaker.admit(1.0), 11.0)
    assert state(breaker, 11.0) is BreakerState.HALF_OPEN


def test_what_was_asked_before_an_outage_counts_for_nothing_after_it():
    breaker = make_breaker()
    late = breaker.admit(0.0)
    for _ in range(3):
        breaker.failed(breaker.admit(1.0), 1.0)
    breaker.database_seen(2.0)
    breaker.succeeded(late, 2.0)
    assert state(breaker, 2.0) is BreakerState.HALF_OPEN
    breaker.succeeded(breaker.admit(2.0), 3.0)
    for _ in range(9):
        breaker.failed(late, 4.0)
    assert (state(breaker, 4.0), breaker.view(4.0).failures) == (BreakerState.CLOSED, 0)


def test_a_connection_that_is_being_made_counts_while_it_is_closed_and_is_never_a_probe():
    breaker = make_breaker()
    for _ in range(3):
        breaker.failed(breaker.current_ticket(), 0.0)
    assert state(breaker, 0.0) is BreakerState.OPEN
    waiting = breaker.current_ticket()
    breaker.failed(waiting, 59.0)
    assert breaker.view(59.0).half_open_at_s == pytest.approx(60.0)
    breaker.database_seen(59.0)
    breaker.succeeded(waiting, 59.0)
    assert state(breaker, 59.0) is BreakerState.HALF_OPEN


def test_one_that_was_opened_by_hand_stays_so_until_it_is_reset():
    breaker = make_breaker()
    before = breaker.admit(0.0)
    breaker.force_open(0.0)
    for happens in (breaker.database_seen, lambda now_s: breaker.succeeded(before, now_s)):
        happens(1e6)
        assert state(breaker, 1e6) is BreakerState.FORCED_OPEN
    refusal = refused(breaker, 1e6)
    assert (refusal.reason, refusal.retry_after_s) == ("CIRCUIT_OPEN", 60)
    assert "steward db breaker reset main" in refusal.hint
    breaker.reset(1e6)
    breaker.admit(1e6)


def test_a_refused_caller_is_told_to_come_back_when_it_may_help_and_not_in_a_minute():
    breaker = opened()
    assert refused(breaker, 0.0).retry_after_s == 1.0
    assert refused(breaker, 59.5).retry_after_s == pytest.approx(0.5)
    breaker.admit(60.0)
    assert refused(breaker, 69.9).retry_after_s == pytest.approx(0.1)


def test_who_listens_hears_each_change_and_why():
    breaker = make_breaker()
    heard = []
    breaker.listen(lambda change: heard.append((change.after, change.cause)))
    breaker.reset(0.0)  # no change
    for _ in range(3):
        breaker.failed(breaker.admit(0.0), 0.0)
    breaker.failed(breaker.admit(60.0), 61.0)
    breaker.database_seen(62.0)
    breaker.succeeded(breaker.admit(62.0), 62.0)
    breaker.force_open(63.0)
    breaker.reset(64.0)
    assert heard == [
        (BreakerState.OPEN, TransitionCause.FAILURES),
        (BreakerState.HALF_OPEN, TransitionCause.TIME_OVER),
        (BreakerState.OPEN, TransitionCause.PROBE_FAILED),
        (BreakerState.HALF_OPEN, TransitionCause.DATABASE_SEEN),
        (BreakerState.CLOSED, TransitionCause.PROBE_SUCCEEDED),
        (BreakerState.FORCED_OPEN, TransitionCause.FORCED),
        (BreakerState.CLOSED, TransitionCause.RESET),
    ]
    assert (breaker.view(64.0).opened, breaker.view(64.0).refused) == (3, 0)


def test_a_ticket_of_nobody_does_nothing():
    breaker = make_breaker()
    for _ in range(9):
        breaker.failed(Ticket(0), 0.0)
    assert breaker.view(0.0).failures == 0
