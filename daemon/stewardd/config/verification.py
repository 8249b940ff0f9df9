"""The sections `backup.verification` and `backup.drills`: how backups are proven, and when a restore is practised."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from stewardd.config.section import Section
from stewardd.config.values import Seconds, SecondsOrNever, TimeZone


class VerificationSettings(Section):
    """How backups are proven: each is restored into a private server and compared with what was dumped."""

    automatic: bool = True
    """whether the daemon verifies each backup by itself, after it was made; where several daemons share a repository,
    one that holds the private key does it"""

    max_age_s: SecondsOrNever = 7 * 86_400.0
    """Health is degraded where the newest verified backup of a database is older than this; 0: never"""

    jobs: Annotated[int, Field(ge=0, le=64)] = 0
    """how many tables are restored, and compared, at once; 0: half of the cores"""

    max_duration_s: Seconds = 6 * 3600.0
    """a restore that takes longer is cancelled, and tried again later"""

    interval_s: Seconds = 300.0
    """how often the daemon looks for backups that are not verified yet; a trial that could not run is repeated after
    this time, then after twice as long, and so on up to six hours"""


class DrillSettings(Section):
    """Drills restore the newest verified backup of each database in full, and keep how long it took."""

    cron: str = "30 3 1 * *"
    """minute, hour, day of the month, month, day of the week; empty: no drills"""

    time_zone: TimeZone = "UTC"
    """whose minutes and hours these are, such as Europe/Berlin"""
