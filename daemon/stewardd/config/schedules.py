"""The section `backup.schedules.NAME`: a backup of a database, at times."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

from stewardd.config.section import Section
from stewardd.config.values import SecondsOrNever


def _read_schedule_name(text: str) -> str:
    if re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,62}", text) is None:
        raise ValueError("a schedule is called by at most 63 small letters, digits, _ and -")
    return text


ScheduleName = Annotated[str, AfterValidator(_read_schedule_name)]


class ScheduleSettings(Section):
    """A schedule. It has `cron` or `interval_s`; calls can pause it, and no more."""

    database: str = ""
    """the database; default: the only one"""

    cron: str = ""
    """minute, hour, day of the month, month, day of the week, such as `30 2 * * *`"""

    time_zone: str = "UTC"
    """whose minutes and hours these are, such as Europe/Berlin"""

    interval_s: SecondsOrNever = 0.0
    """or a backup every so many seconds, counted from 1970-01-01T00:00Z"""

    jitter_s: SecondsOrNever = 0.0
    """each run begins later by up to so much, by chance, so that many schedules do not begin at once"""

    paused: bool = False
    """whether it is paused when a daemon meets it for the first time; afterwards `steward schedule` says"""

    description: str = ""
    """what its backups get as their description; default: the schedule's name"""
