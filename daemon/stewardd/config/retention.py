"""The section `backup.retention`: which backups are kept, in general and by database."""

from __future__ import annotations

from typing import Literal

from stewardd.config.postgres import DatabaseName
from stewardd.config.section import Section
from stewardd.config.values import Count, CountOrNone, Seconds, SecondsOrNever, TimeZone

Counting = Literal["verified", "complete"]


class DatabaseRetention(Section):
    """What holds for the backups of one database; where nothing is said, `[backup.retention]` holds."""

    window_s: Seconds | None = None
    """as in [backup.retention], for this database alone"""

    min_keep: Count | None = None
    """as in [backup.retention], for this database alone"""

    counting: Counting | None = None
    """as in [backup.retention], for this database alone"""

    keep_daily: CountOrNone | None = None
    """as in [backup.retention], for this database alone"""

    keep_weekly: CountOrNone | None = None
    """as in [backup.retention], for this database alone"""

    keep_monthly: CountOrNone | None = None
    """as in [backup.retention], for this database alone"""

    keep_yearly: CountOrNone | None = None
    """as in [backup.retention], for this database alone"""


class RetentionSettings(Section):
    """Which backups are kept. What is pinned or younger than the window is never deleted by a rule."""

    window_s: Seconds = 7 * 86_400.0
    """every backup younger than this is kept. Where none that counts is, nothing is deleted, and Health says so"""

    min_keep: Count = 2
    """the newest backups that count and are kept, however old they are"""

    counting: Counting = "verified"
    """which backups count: `verified`, those that a restore has proven; `complete`, all that are not found corrupt"""

    keep_daily: CountOrNone = 0
    """days of which the newest backup that counts is kept"""

    keep_weekly: CountOrNone = 0
    """weeks (Monday to Sunday) of which the newest backup that counts is kept"""

    keep_monthly: CountOrNone = 0
    """months of which the newest backup that counts is kept"""

    keep_yearly: CountOrNone = 0
    """years of which the newest backup that counts is kept"""

    time_zone: TimeZone = "UTC"
    """whose days, weeks, months and years these are"""

    grace_s: SecondsOrNever = 86_400.0
    """a deleted backup keeps its data for so long, and can be had back meanwhile"""

    interval_s: Seconds = 3_600.0
    """how often the rules are applied, beside after each scheduled backup"""

    databases: dict[DatabaseName, DatabaseRetention] = {}
    """what holds for single databases, by their names"""
