"""What of a pool's reports counts for the breaker, and what does not."""

from __future__ import annotations

import asyncio

import psycopg
import pytest
from stewardd.errors import DatabaseDown, DatabaseRefused
from stewardd.postgres.breaker import Breaker, BreakerOptions, BreakerState
from stewardd.postgres.connection_reports import ConnectionReports
from stewardd.postgres.observer import DrainReason, Leak, SilentObserver
from stewardd.postgres.sqlstate import Verdict
from stewardd.postgres.target import DatabaseTarget

TARGET = DatabaseTarget("main", "postgresql://ana:hunter2@127.0.0.1/library")
AWAY = DatabaseDown("database 'main' is away: refused")


class Reported:
    """A breaker that opens at three failures, and the reports of a pool to it."""

    def __init__(self) -> None:
        self.now_s = 0.0
        options = BreakerOptions(failures=3)
        self.breaker = Breaker("main", options, lambda: 0.5, self.now_s)
        self.reports = ConnectionReports(TARGET, self.breaker, lambda: self.now_s)

    @property
    def state(self) -> BreakerState:
        return self.breaker.view(self.now_s).state

    def loan(self, verdict: Verdict | None, error: BaseException | None = None) -> None:
        self.reports.loan_ended(self.breaker.admit(self.now_s), verdict, error)


@pytest.fixture
def reported() -> Reported:
    return Reported()


def test_connections_that_cannot_be_made_open_it_without_any_caller(reported):
    for _ in range(3):
        reported.reports.connect_failed(Verdict.AWAY, AWAY)
    assert reported.state is BreakerState.OPEN


def test_one_that_is_made_ends_a_row_of_those_that_were_not(reported):
    for _ in range(4):
        reported.reports.connect_failed(Verdict.AWAY, AWAY)
        reported.reports.connect_failed(Verdict.AWAY, AWAY)
        reported.reports.connected(0.01)
    assert reported.state is BreakerState.CLOSED


def test_a_pooler_that_takes_connections_before_a_dead_server_does_not_keep_it_closed(reported):
    for _ in range(3):
        reported.reports.connected(0.01)
        reported.loan(Verdict.AWAY)
    assert reported.state is BreakerState.OPEN


def test_a_statement_that_is_answered_ends_a_row_of_failed_loans(reported):
    for _ in range(4):
        reported.loan(Verdict.AWAY)
        reported.loan(Verdict.AWAY)
        reported.loan(Verdict.ANSWERED)
    assert reported.state is BreakerState.CLOSED


def test_after_a_reset_failures_and_successes_of_before_count_for_nothing(reported):
    late = reported.breaker.admit(0.0)
    reported.loan(Verdict.AWAY)
    reported.breaker.reset(0.0)
    reported.reports.loan_ended(late, Verdict.AWAY, None)
    for _ in range(4):
        reported.reports.connect_failed(Verdict.AWAY, AWAY)
        reported.reports.connect_failed(Verdict.AWAY, AWAY)
        reported.reports.connected(0.01)
    assert reported.state is BreakerState.CLOSED


def test_a_refusal_is_an_answer_and_a_cancelled_caller_is_none(reported):
    refusal = DatabaseRefused("password authentication failed")
    for _ in range(2):
        reported.reports.connect_failed(Verdict.AWAY, AWAY)
    for _ in range(9):
        reported.loan(None, asyncio.CancelledError())
    assert reported.breaker.view(0.0).failures == 2
    reported.reports.connect_failed(Verdict.ANSWERED, refusal)
    assert reported.breaker.view(0.0).failures == 0


@pytest.mark.parametrize("sight", ["connected", "database_seen"])
def test_an_open_one_becomes_half_open_when_the_pool_sees_the_database(reported, sight):
    for _ in range(3):
        reported.loan(Verdict.AWAY)
    if sight == "connected":
        reported.reports.connected(0.01)
    else:
        reported.reports.database_seen()
    assert reported.state is BreakerState.HALF_OPEN


def test_the_last_failure_is_kept_for_people_and_without_a_secret(reported):
    reported.loan(Verdict.AWAY, psycopg.OperationalError("no way to ana:hunter2\nat all"))
    failure = reported.reports.last_failure
    assert failure is not None
    assert failure.message == "no way to ana:*** at all"
    reported.loan(Verdict.AWAY, ValueError("ana@example.org"))
    assert reported.reports.last_failure.message == "the connection was lost"


class Recorder(SilentObserver):
    """Names what it hears."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def connected(self, duration_s: float) -> None:
        self.heard.append("connected")

    def connect_failed(self, verdict, error) -> None:
        self.heard.append("connect_failed")

    def acquired(self, waited_s: float) -> None:
        self.heard.append("acquired")

    def released(self, verdict, held_s: float) -> None:
        self.heard.append("released")

    def database_seen(self) -> None:
        self.heard.append("database_seen")

    def drained(self, reason: DrainReason) -> None:
        self.heard.append("drained")

    def leak_found(self, leak: Leak) -> None:
        self.heard.append("leak_found")


def test_who_observes_as_well_hears_everything():
    breaker = Breaker("main", BreakerOptions(), lambda: 0.5, 0.0)
    reports = ConnectionReports(TARGET, breaker, lambda: 0.0)
    following = Recorder()
    reports.follow(following)
    reports.connected(0.1)
    reports.connect_failed(Verdict.AWAY, AWAY)
    reports.acquired(0.1)
    reports.released(None, 0.1)
    reports.database_seen()
    reports.drained(DrainReason.OUTAGE)
    reports.leak_found(Leak("task", "file", 1, 90.0))
    assert following.heard == [
        "connected",
        "connect_failed",
        "acquired",
        "released",
        "database_seen",
        "drained",
        "leak_found",
    ]
