"""When a schedule is due: pure, moments come in and go out in UTC.

A cron expression has five fields, read by `cronsim` as Debian's cron does: where a clock is set forward, a job at a
time that is left out comes right after; where it is set back, a job at a time that comes twice is due once. An interval
counts from 1970-01-01T00:00Z, so that every daemon finds the same moments without asking another.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from stewardd.errors import ScheduleInvalid

_FIELDS = 5
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LEAST_INTERVAL = timedelta(seconds=1)
_MOST = timedelta(days=366)
# How far back the last due moment is looked for: a little first, since a dense schedule has many.
_LOOK_BACK = tuple(timedelta(days=days) for days in (0.1, 2, 40, 800, 4000, 36_600))
_CHECKED_GAPS = 50


@dataclass(frozen=True, slots=True)
class Timing:
    """A cron expression in a time zone, or an interval; a run may come later by up to `jitter`."""

    cron: str = ""
    time_zone: str = "UTC"
    interval: timedelta = timedelta(0)
    jitter: timedelta = timedelta(0)

    def check(self, now: datetime) -> None:
        """Refuses what can never come, or not in time. Raises: ScheduleInvalid."""
        if bool(self.cron) == bool(self.interval):
            raise ScheduleInvalid("a schedule has a cron expression or an interval", field="cron")
        if self.jitter < timedelta(0) or self.jitter > _MOST:
            raise ScheduleInvalid("the jitter is negative, or longer than a year", field="jitter")
        if self.interval and not _LEAST_INTERVAL <= self.interval <= _MOST:
            raise ScheduleInvalid(
                "the interval is shorter than a second or longer than a year", field="interval"
            )
        _zone(self.time_zone)
        upcoming = self._after(now)
        first = next(upcoming, None)
        if first is None:
            raise ScheduleInvalid(f"{self.cron!r} never comes", field="cron")
        moments = [first, *(each for _, each in zip(range(_CHECKED_GAPS), upcoming, strict=False))]
        shortest = min((after - before for before, after in pairwise(moments)), default=_MOST)
        if self.jitter >= shortest:
            raise ScheduleInvalid(
                f"the jitter is not shorter than the {shortest.total_seconds():g} s between two runs",
                field="jitter",
            )

    def next_due(self, after: datetime) -> datetime | None:
        """The first due moment after a moment; None where there is none within the calendar."""
        return next(self._after(after), None)

    def last_due(self, now: datetime, seed: str) -> datetime | None:
        """The last due moment whose run may begin by now; None where there is none in a hundred years.

        All that was missed before it is covered by it: missed runs are one run.
        """
        for span in _LOOK_BACK:
            last = None
            for each in self._after(_earlier(now, span)):
                if each + self.delay(each, seed) > now:
                    break
                last = each
            if last is not None:
                return last
        return None

    def delay(self, due: datetime, seed: str) -> timedelta:
        """By how much the run of a due moment is later: by chance, but the same for every daemon."""
        if not self.jitter:
            return self.jitter
        digest = hashlib.sha256(f"{seed}\n{due.timestamp()}".encode()).digest()
        return self.jitter * (int.from_bytes(digest[:8], "big") / 2**64)

    def _after(self, moment: datetime) -> Iterator[datetime]:
        """The due moments after a moment, in their order."""
        if self.interval:
            count = (moment - _EPOCH) // self.interval
            while True:
                count += 1
                try:
                    yield _EPOCH + count * self.interval
                except OverflowError:
                    return
        last = moment
        try:
            for each in _expression(self.cron, moment.astimezone(_zone(self.time_zone))):
                due = each.astimezone(UTC)
                # In the hour that comes twice, an iteration from its second pass gives a moment of the first.
                if due > last:
                    last = due
                    yield due
        except (OverflowError, ValueError):
            return  # the end of the calendar


def _expression(cron: str, start: datetime) -> CronSim:
    if len(cron.split()) != _FIELDS:
        raise ScheduleInvalid(
            f"{cron[:64]!r} is no cron expression: it has five fields, such as 30 2 * * *",
            field="cron",
        )
    try:
        return CronSim(cron, start)
    except (CronSimError, ValueError) as error:
        reason = str(error)
        never = " never comes" if reason == "Bad day-of-month" else " is no cron expression"
        raise ScheduleInvalid(f"{cron[:64]!r}{never}: {reason.lower()}", field="cron") from None


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ScheduleInvalid(
            f"there is no time zone {name[:64]!r}; they are named like Europe/Berlin",
            field="time_zone",
        ) from None


def _earlier(moment: datetime, span: timedelta) -> datetime:
    try:
        return moment - span
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC) + timedelta(days=2)
