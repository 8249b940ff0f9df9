"""Decides which backups of one database a retention keeps, and says of each why. Pure: the moment comes in.

The rules are written so that whatever is in doubt is kept: what is pinned, young, dated in the future or not proven
yet; the newest that count, however old they are; and everything, where no backup that counts is younger than the
window. The window ends with the newest backup that counts: time alone lets nothing go, only a new backup does. So a
week of failing backups, or a clock that is years ahead, deletes nothing. What was encrypted anew goes in any case: the
same data are there in the backup that replaces it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from enum import StrEnum

from stewardd.backup.proof import ProofState
from stewardd.backup.retention.policy import Candidate, RetentionPolicy


class RetentionReason(StrEnum):
    """Why a backup is kept or goes."""

    PINNED = "PINNED"
    FUTURE = "FUTURE"
    YOUNG = "YOUNG"
    NO_RECENT_BACKUP = "NO_RECENT_BACKUP"
    NOT_PROVEN = "NOT_PROVEN"
    MIN_KEEP = "MIN_KEEP"
    DAILY = "DAILY"
    WEEKLY = "WEEKLY"
    MONTHLY = "MONTHLY"
    YEARLY = "YEARLY"
    REPLACED = "REPLACED"
    CORRUPT = "CORRUPT"
    EXPIRED = "EXPIRED"


# All others keep.
_GOING = frozenset({RetentionReason.REPLACED, RetentionReason.CORRUPT, RetentionReason.EXPIRED})


@dataclass(frozen=True, slots=True)
class RetentionVerdict:
    """What becomes of a backup: the reason, and the same in words."""

    backup_id: str
    reason: RetentionReason
    explanation: str

    @property
    def keeps(self) -> bool:
        """Whether the backup stays."""
        return self.reason not in _GOING


@dataclass(frozen=True, slots=True)
class RetentionPlan:
    """A verdict of each backup, newest first. `halted`: none that counts is young enough, so nothing is deleted."""

    verdicts: tuple[RetentionVerdict, ...]
    halted: bool

    @property
    def going(self) -> list[RetentionVerdict]:
        """The backups that go."""
        return [each for each in self.verdicts if not each.keeps]


def plan(backups: Iterable[Candidate], policy: RetentionPolicy, now: datetime) -> RetentionPlan:
    """Returns the verdicts on all backups of one database; one that is marked as deleted is none of them."""
    newest_first = sorted(backups, key=lambda each: (each.time, each.backup_id), reverse=True)
    replaced = _replaced(newest_first, policy)
    counted = [
        each
        for each in newest_first
        if each.time <= now and policy.counts(each.proof) and each.backup_id not in replaced
    ]
    newest = counted[0].time if counted else None
    halted = newest is None or now - newest >= policy.window
    needed = _needed(counted, policy)
    verdicts = []
    for each in newest_first:
        said = (
            _pinned(each)
            or replaced.get(each.backup_id)
            or _stays_anyway(each, policy, now, newest)
            or needed.get(each.backup_id)
            or _said_of_the_rest(each, policy, halted=halted)
        )
        verdicts.append(RetentionVerdict(each.backup_id, *said))
    return RetentionPlan(tuple(verdicts), halted=bool(newest_first) and halted)


Period = tuple[int, ...]
_Said = tuple[RetentionReason, str]


def _said_of_the_rest(backup: Candidate, policy: RetentionPolicy, *, halted: bool) -> _Said:
    window = in_words(policy.window)
    if halted:
        return (
            RetentionReason.NO_RECENT_BACKUP,
            f"no {_counted(policy)} backup is younger than {window}",
        )
    if backup.proof is ProofState.CORRUPT:
        return RetentionReason.CORRUPT, f"it is corrupt, and older than {window}"
    if not policy.counts(backup.proof):
        return RetentionReason.NOT_PROVEN, f"it is not proven ({backup.proof.value})"
    return RetentionReason.EXPIRED, f"it is older than {window}, and no rule keeps it"


def _pinned(backup: Candidate) -> _Said | None:
    return (RetentionReason.PINNED, "it is pinned") if backup.pinned else None


def _replaced(backups: Sequence[Candidate], policy: RetentionPolicy) -> dict[str, _Said]:
    """The backups that were encrypted anew, if what replaces them is as good: the same data, and counted as well."""
    by_id = {each.backup_id: each for each in backups}
    found: dict[str, _Said] = {}
    for new in backups:
        old = by_id.get(new.replaces)
        if old is None or old is new or old.time != new.time or new.backup_id in found:
            continue
        if new.proof is not ProofState.CORRUPT and (
            policy.counts(new.proof) or not policy.counts(old.proof)
        ):
            words = f"it was encrypted anew as backups/{new.backup_id}"
            found[old.backup_id] = RetentionReason.REPLACED, words
    return found


def _stays_anyway(
    backup: Candidate, policy: RetentionPolicy, now: datetime, newest: datetime | None
) -> _Said | None:
    if backup.time > now:
        return RetentionReason.FUTURE, "its time is in the future"
    window = in_words(policy.window)
    if now - backup.time < policy.window:
        return RetentionReason.YOUNG, f"it is younger than {window}"
    if newest is not None and newest - backup.time < policy.window:
        return (
            RetentionReason.YOUNG,
            f"it is less than {window} older than the newest {_counted(policy)} backup",
        )
    return None


def _needed(counted: Sequence[Candidate], policy: RetentionPolicy) -> dict[str, _Said]:
    """The backups that a rule keeps, each by the first rule that does."""
    needed: dict[str, _Said] = {}
    for each in counted[: policy.min_keep]:
        words = f"it is one of the newest {policy.min_keep} {_counted(policy)} backups"
        needed[each.backup_id] = RetentionReason.MIN_KEEP, words
    for reason, periods, period_of in _periods(policy):
        seen: set[Period] = set()
        for each in counted:
            if len(seen) >= periods:
                break
            period = period_of(_day(each.time, policy.zone))
            if period not in seen:
                seen.add(period)
                words = f"it is the newest of its period ({reason.value.lower()}, {len(seen)} of {periods})"
                needed.setdefault(each.backup_id, (reason, words))
    return needed


def _periods(
    policy: RetentionPolicy,
) -> list[tuple[RetentionReason, int, Callable[[date], Period]]]:
    """Each kind of period, how many are kept, and the period of a day. Weeks are those of ISO 8601."""
    return [
        (RetentionReason.DAILY, policy.daily, lambda day: (day.year, day.month, day.day)),
        (RetentionReason.WEEKLY, policy.weekly, lambda day: day.isocalendar()[:2]),
        (RetentionReason.MONTHLY, policy.monthly, lambda day: (day.year, day.month)),
        (RetentionReason.YEARLY, policy.yearly, lambda day: (day.year,)),
    ]


def _day(moment: datetime, zone: tzinfo) -> date:
    try:
        return moment.astimezone(zone).date()
    except OverflowError:  # at the end of the calendar, where a zone has no day for it
        return moment.date()


def _counted(policy: RetentionPolicy) -> str:
    return policy.counting.value


def in_words(span: timedelta) -> str:
    """A span as a person says it.

    >>> in_words(timedelta(days=7)), in_words(timedelta(hours=36)), in_words(timedelta(days=1))
    ('7 days', '36 hours', '1 day')
    """
    seconds = round(span.total_seconds())
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size} {unit}{'s' * (seconds != size)}"
    return f"{seconds} s"
