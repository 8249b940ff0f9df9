"""The section `operations`: how many of them run at once, and how many wait, in each lane."""

from __future__ import annotations

from stewardd.config.section import Section
from stewardd.config.values import Count


class LaneSettings(Section):
    """A number for one lane; where there is none, `operations.max_running` holds."""

    backup: Count | None = None
    """backups that run at once"""

    transfer: Count | None = None
    """copies and imports of backups that run at once"""

    restore: Count | None = None
    """restores of backups that run at once"""

    verification: Count | None = None
    """proofs of backups that run at once"""

    retention: Count | None = None
    """prunings of backups that run at once"""

    quarantine: Count | None = None
    """retries, purges and erasures that run at once"""

    migration: Count | None = None
    """migrations that run at once"""


class OperationsSettings(Section):
    """Work that outlasts a call."""

    max_running: Count = 2
    """operations of one lane (backup, transfer, restore, verification, retention, quarantine, migration) that run at
    once; more wait for their turn"""

    max_queued: Count = 100
    """operations of one lane that wait for their turn; more are refused"""

    lanes: LaneSettings = LaneSettings()

    @property
    def max_running_by_lane(self) -> dict[str, int]:
        """The lanes that have a number of their own, each with its number."""
        return self.lanes.model_dump(exclude_none=True)
