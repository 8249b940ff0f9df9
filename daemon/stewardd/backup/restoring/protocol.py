"""The messages between the daemon and the worker of a restore; worker/messages.py says how they travel."""

from __future__ import annotations

from dataclasses import dataclass

from stewardd.backup.manifest.backup import BackupManifest
from stewardd.backup.restoring.options import RestoreIssue, RestoreProgress
from stewardd.backup.worker.failure import WorkerFailed
from stewardd.backup.worker.messages import Messages
from stewardd.postgres.dump_catalog import TableName
from stewardd.postgres.target import DatabaseTarget


@dataclass(frozen=True, slots=True)
class RestoreJob:
    """One restore into one database. Its repr shows no secret. `staging` is an empty folder of its own."""

    daemon_pid: int
    manifest: BackupManifest
    store_url: str
    store_options: dict[str, str]
    identities: tuple[str, ...]
    database: str
    conninfo: str
    pg_restore: str
    arguments: tuple[str, ...]
    settings: dict[str, str]
    schemas: tuple[str, ...]
    tables: tuple[TableName, ...]
    role_map: dict[str, str]
    in_place: bool
    jobs: int
    stop_at_first_error: bool
    staging: str
    reserve_bytes: int
    max_duration_s: float

    @property
    def called(self) -> str:
        """What errors call it."""
        return f"the restore of backup {self.manifest.backup_id} into {self.database!r}"

    @property
    def secrets(self) -> list[str]:
        """The passwords and keys in it, which no log line and no error may show."""
        return [
            *DatabaseTarget(self.database, self.conninfo).secrets,
            *self.store_options.values(),
            *self.identities,
        ]

    def __repr__(self) -> str:
        return f"RestoreJob(backup={self.manifest.backup_id!r}, database={self.database!r})"


@dataclass(frozen=True, slots=True)
class RestoreEnded:
    """It came to its end: see RestoreResult."""

    issues: tuple[RestoreIssue, ...]
    stderr: str
    restored_tables: int
    read_bytes: int
    checked_s: float
    elapsed_s: float


RestoreEvent = RestoreProgress | RestoreEnded | WorkerFailed
MESSAGES: Messages[RestoreJob, RestoreEvent] = Messages(
    RestoreJob, (RestoreProgress, RestoreEnded, WorkerFailed)
)
