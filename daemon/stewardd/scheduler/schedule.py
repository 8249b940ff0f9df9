"""Decides which jobs are due. It neither waits nor runs anything: time and chance come in as arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from stewardd.scheduler.job import Job


class Schedule:
    """When each job is due; a job that runs is not due before it has ended.

    `chance` gives numbers from 0 to 1 for the jitter. Moments are seconds of any clock that does not go back.
    """

    def __init__(self, jobs: Iterable[Job], now_s: float, chance: Callable[[], float]) -> None:
        self._chance = chance
        self._due_s: dict[Job, float] = {}
        for job in jobs:
            first_after_s = job.interval_s if job.first_after_s is None else job.first_after_s
            self._plan(job, now_s, first_after_s)

    @property
    def next_due_s(self) -> float | None:
        """The moment at which the next job is due; None while every job runs."""
        return min(self._due_s.values(), default=None)

    def take_due(self, now_s: float) -> list[Job]:
        """Returns the jobs that are due, the longest due first. They count as running from now on."""
        due = [job for job, due_s in self._due_s.items() if due_s <= now_s]
        due.sort(key=self._due_s.__getitem__)
        for job in due:
            del self._due_s[job]
        return due

    def ended(self, job: Job, now_s: float, *, failed: bool) -> None:
        """Plans the next run of a job that has ended."""
        if failed and job.retry_after_s is not None:
            self._plan(job, now_s, job.retry_after_s)
        else:
            self._plan(job, now_s, job.interval_s)

    def _plan(self, job: Job, now_s: float, after_s: float) -> None:
        self._due_s[job] = now_s + after_s * (1 + job.jitter * self._chance())
