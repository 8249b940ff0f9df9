"""The verdicts on failed attempts are functions of the failure, the count and the time left."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from steward_client import errors
from steward_client.connection.retry import Attempts, Deadline, RetryPolicy

BUSY = errors.Conflict("busy", reason="REQUEST_IN_PROGRESS")
AWAY = errors.Unavailable("away")
NOBODY = errors.Unreachable("nobody")


def attempts(
    policy: RetryPolicy | None = None, timeout_s: float | None = None, *, repeatable: bool = True
) -> Attempts:
    deadline = Deadline(timeout_s, lambda: 0.0)
    return Attempts(policy or RetryPolicy(), deadline, repeatable=repeatable, jitter=lambda: 0.0)


def test_the_wait_doubles_up_to_its_bound():
    tries = attempts(RetryPolicy(attempts=9, initial_delay_s=1, max_delay_s=5))
    assert [tries.failed(AWAY) for _ in range(5)] == [1, 2, 4, 5, 5]


@given(st.integers(1, 10**6), st.floats(0, 1))
def test_jitter_takes_at_most_half_of_the_wait(failures, jitter):
    policy = RetryPolicy(initial_delay_s=0.5, max_delay_s=4)
    assert policy.delay_s(failures, 0) / 2 <= policy.delay_s(failures, jitter) <= 4


def test_after_the_last_attempt_the_error_itself_is_raised():
    tries = attempts(RetryPolicy(attempts=3))
    tries.failed(AWAY)
    tries.failed(BUSY)
    with pytest.raises(errors.Unavailable) as caught:
        tries.failed(AWAY)
    assert caught.value is AWAY


@pytest.mark.parametrize(
    "error",
    [errors.InvalidRequest("no"), errors.Conflict("came apart", reason="UPLOAD_INCOMPLETE")],
)
def test_what_would_fail_again_is_not_tried_again(error):
    with pytest.raises(type(error)):
        attempts().failed(error)


def test_what_cannot_be_read_again_is_not_sent_again():
    with pytest.raises(errors.Unavailable):
        attempts(repeatable=False).failed(AWAY)


def test_a_daemon_that_was_never_reached_is_not_waited_for_but_one_that_went_away_is():
    with pytest.raises(errors.Unreachable):
        attempts().failed(NOBODY)
    tries = attempts()
    tries.failed(AWAY)
    assert tries.failed(NOBODY) > 0


def test_the_server_says_how_long_to_stay_away():
    assert attempts().failed(errors.Unavailable("away", retry_after_s=7)) == 7


def test_no_attempt_begins_after_the_deadline():
    with pytest.raises(errors.Unavailable):
        attempts(timeout_s=0.1).failed(AWAY)


def test_progress_begins_the_count_again():
    tries = attempts(RetryPolicy(attempts=2))
    for _ in range(5):
        tries.failed(AWAY)
        tries.progressed()


def test_a_deadline_counts_down_and_then_raises():
    now = [10.0]
    deadline = Deadline(5, lambda: now[0])
    now[0] = 12.0
    assert deadline.remaining_s() == 3
    now[0] = 15.0
    with pytest.raises(errors.DeadlineExceeded):
        deadline.remaining_s()
    assert Deadline(None).remaining_s() is None
