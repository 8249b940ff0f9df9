"""Which jobs are due: decided from their intervals, the moment and chance alone."""

from hypothesis import given
from hypothesis import strategies as st
from stewardd.scheduler.job import Job
from stewardd.scheduler.schedule import Schedule


async def nothing():
    pass


def names(jobs):
    return [job.name for job in jobs]


def test_a_job_is_due_an_interval_after_the_start_and_after_each_end():
    job = Job("sweep", nothing, interval_s=10, jitter=0)
    schedule = Schedule([job], now_s=100, chance=lambda: 1.0)
    assert schedule.take_due(109.9) == []
    assert schedule.take_due(110) == [job]
    schedule.ended(job, now_s=125, failed=False)
    assert schedule.next_due_s == 135


def test_a_job_that_runs_is_not_due_again():
    job = Job("sweep", nothing, interval_s=10, jitter=0)
    schedule = Schedule([job], now_s=0, chance=lambda: 0.0)
    assert schedule.take_due(10) == [job]
    assert schedule.next_due_s is None
    assert schedule.take_due(1000) == []


def test_the_first_run_and_a_retry_have_waits_of_their_own():
    job = Job("expiry", nothing, interval_s=86_400, first_after_s=300, retry_after_s=60, jitter=0)
    schedule = Schedule([job], now_s=0, chance=lambda: 0.0)
    assert schedule.next_due_s == 300
    schedule.take_due(300)
    schedule.ended(job, now_s=310, failed=True)
    assert schedule.next_due_s == 370
    schedule.take_due(370)
    schedule.ended(job, now_s=380, failed=False)
    assert schedule.next_due_s == 86_780


def test_a_failure_without_a_wait_of_its_own_waits_for_the_interval():
    job = Job("sweep", nothing, interval_s=10, jitter=0)
    schedule = Schedule([job], now_s=0, chance=lambda: 0.0)
    schedule.take_due(10)
    schedule.ended(job, now_s=10, failed=True)
    assert schedule.next_due_s == 20


def test_of_several_jobs_the_one_that_is_due_longest_comes_first():
    jobs = [Job(str(interval), nothing, interval_s=interval, jitter=0) for interval in (3, 1, 2)]
    schedule = Schedule(jobs, now_s=0, chance=lambda: 0.0)
    assert names(schedule.take_due(2)) == ["1", "2"]
    assert names(schedule.take_due(3)) == ["3"]


@given(
    interval_s=st.floats(0.001, 1e6),
    jitter=st.floats(0, 1),
    chances=st.lists(st.floats(0, 1), min_size=5, max_size=5),
    late_s=st.floats(0, 1e6),
)
def test_each_wait_lies_between_the_interval_and_the_interval_with_all_of_the_jitter(
    interval_s, jitter, chances, late_s
):
    given_chances = iter(chances)
    job = Job("any", nothing, interval_s=interval_s, jitter=jitter)
    now_s = 0.0
    schedule = Schedule([job], now_s, lambda: next(given_chances))
    for _ in range(4):
        due_s = schedule.next_due_s
        assert now_s + interval_s <= due_s <= now_s + interval_s * (1 + jitter) * (1 + 1e-9)
        now_s = due_s + late_s
        assert schedule.take_due(now_s) == [job]
        schedule.ended(job, now_s, failed=False)
