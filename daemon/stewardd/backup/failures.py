"""The backups that failed since the last one of their database that succeeded."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class BackupFailures:
    """The failed backups of one database: how many in a row, and the last of them."""

    database: str
    count: int
    operation_id: str
    time: datetime
    reason: str
    message: str
