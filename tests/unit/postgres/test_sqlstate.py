"""Which errors mean that the database is away."""

from __future__ import annotations

import asyncio

import psycopg
import pytest
from psycopg import errors, pq
from stewardd.postgres.sqlstate import (
    Verdict,
    judge_connected,
    judge_connecting,
    judge_loan,
    judge_sqlstate,
)


@pytest.mark.parametrize(
    "sqlstate", ["08000", "08003", "08006", "57P01", "57P02", "57P03", "53300", "58030"]
)
def test_a_database_that_cannot_be_worked_with_is_away(sqlstate):
    assert judge_sqlstate(sqlstate) is Verdict.AWAY


@pytest.mark.parametrize(
    "sqlstate", ["23505", "40P01", "42601", "28P01", "3D000", "57014", "53100", "53200", "57P04"]
)
def test_a_database_that_has_something_to_say_is_not(sqlstate):
    assert judge_sqlstate(sqlstate) is Verdict.ANSWERED


def test_classes_below_operational_error_are_told_apart():
    away, answer = errors.AdminShutdown(), errors.DeadlockDetected()
    assert isinstance(away, psycopg.OperationalError)
    assert isinstance(answer, psycopg.OperationalError)
    assert judge_connected(away, broken=True) is Verdict.AWAY
    assert judge_connected(answer, broken=False) is Verdict.ANSWERED


def test_an_error_without_a_sqlstate_is_judged_by_the_connection():
    error = psycopg.OperationalError("server closed the connection unexpectedly")
    assert judge_connected(error, broken=True) is Verdict.AWAY
    assert (
        judge_connected(psycopg.ProgrammingError("a bug of ours"), broken=False) is Verdict.ANSWERED
    )


@pytest.mark.parametrize(
    ("ping", "verdict"),
    [
        (pq.Ping.NO_RESPONSE, Verdict.AWAY),
        (pq.Ping.REJECT, Verdict.AWAY),
        (pq.Ping.OK, Verdict.ANSWERED),
        (pq.Ping.NO_ATTEMPT, Verdict.ANSWERED),
    ],
)
def test_a_failure_to_connect_is_judged_by_the_ping(ping, verdict):
    assert judge_connecting(psycopg.OperationalError("connection failed"), ping) is verdict


def test_a_timeout_is_away_whatever_the_ping_says_a_moment_later():
    assert judge_connecting(errors.ConnectionTimeout("expired"), pq.Ping.OK) is Verdict.AWAY


@pytest.mark.parametrize(
    "text",
    [
        "FATAL:  sorry, too many clients already",
        "FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute",
        'FATAL:  too many connections for role "ana"',
    ],
)
def test_a_server_without_a_free_slot_is_away_although_it_answers_pings(text):
    assert judge_connecting(psycopg.OperationalError(text), pq.Ping.OK) is Verdict.AWAY


def raised(error: BaseException, cause: BaseException | None = None) -> BaseException:
    try:
        raise error from cause
    except BaseException as caught:
        return caught


AWAY, ANSWERED = psycopg.errors.AdminShutdown("x"), psycopg.errors.UniqueViolation("x")


@pytest.mark.parametrize(
    ("error", "broken", "verdict"),
    [
        (None, False, None),
        (None, True, Verdict.AWAY),  # the block swallowed what broke it
        (AWAY, True, Verdict.AWAY),
        (ANSWERED, False, Verdict.ANSWERED),
        (raised(ValueError("x"), AWAY), True, Verdict.AWAY),
        (raised(ValueError("x"), ANSWERED), False, Verdict.ANSWERED),
        (ValueError("x"), False, None),
        (ValueError("x"), True, Verdict.AWAY),
        (asyncio.CancelledError(), True, None),
        (raised(TimeoutError(), asyncio.CancelledError()), True, None),
    ],
)
def test_a_loan_is_judged_by_the_database_error_that_ended_it(error, broken, verdict):
    assert judge_loan(error, broken=broken) is verdict
