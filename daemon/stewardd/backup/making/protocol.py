"""The messages between the daemon and its backup worker; worker/messages.py says how they travel."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from stewardd.backup.manifest.backup import (
    NO_TIMINGS,
    UNKNOWN_SOURCE,
    Compression,
    DumpForm,
    Globals,
    ProofMode,
    Segment,
    Source,
    StoredContents,
    StoredObject,
    Timings,
)
from stewardd.backup.worker.failure import WorkerFailed
from stewardd.backup.worker.messages import Messages
from stewardd.postgres.dump_catalog import Choice
from stewardd.postgres.target import DatabaseTarget


@dataclass(frozen=True, slots=True)
class DumpJob:
    """One dump into one folder of the repository. Its repr shows no secret. `staging` is an empty folder of its own.

    Where `may_stream`, a dump that the disk of this folder has no room for is made as one stream.
    """

    daemon_pid: int
    database: str
    conninfo: str
    pg_dump: str
    pg_dumpall: str
    psql: str | None
    store_url: str
    store_options: dict[str, str]
    folder: str
    staging: str
    segment_bytes: int
    form: DumpForm
    may_stream: bool
    jobs: int
    compression: Compression
    recipients: tuple[str, ...]
    choice: Choice
    proof: ProofMode
    with_globals: bool
    reserve_bytes: int
    max_duration_s: float
    lock_timeout_s: float
    max_bytes_per_second: int
    niceness: int

    @property
    def called(self) -> str:
        """What errors call it."""
        return f"the backup of {self.database!r}"

    @property
    def secrets(self) -> list[str]:
        """The passwords and keys in it, which no log line and no error may show."""
        return [*DatabaseTarget(self.database, self.conninfo).secrets, *self.store_options.values()]

    def __repr__(self) -> str:
        return f"DumpJob(database={self.database!r}, folder={self.folder!r})"


@dataclass(frozen=True, slots=True)
class DumpStarted:
    """The snapshot is taken, the dump is about to start."""

    snapshot_time: datetime
    server_version: str
    database_size_bytes: int
    total_tables: int


@dataclass(frozen=True, slots=True)
class DumpProgress:
    """How far it has come."""

    dumped_bytes: int
    stored_bytes: int
    dumped_tables: int = 0
    done_bytes: int = 0
    total_bytes: int = 0
    time_left_s: float | None = None


@dataclass(frozen=True, slots=True)
class LockWaiterFound:
    """A session waits behind the dump's locks; it is told once."""

    message: str


@dataclass(frozen=True, slots=True)
class ToolOutput:
    """What a client tool said from its start to its end, within a bound."""

    text: str


@dataclass(frozen=True, slots=True)
class DumpStored:
    """Everything is stored, durably: the members of the manifest that only the worker knows."""

    form: DumpForm
    dump_size_bytes: int
    dump_sha256: str | None
    segments: tuple[Segment, ...]
    contents: StoredContents | None = None
    schema_sha256: str | None = None
    source: Source = UNKNOWN_SOURCE
    globals: Globals = Globals.NONE
    globals_object: StoredObject | None = None
    timings: Timings = NO_TIMINGS


WorkerEvent = DumpStarted | DumpProgress | LockWaiterFound | ToolOutput | DumpStored | WorkerFailed
MESSAGES: Messages[DumpJob, WorkerEvent] = Messages(
    DumpJob, (DumpStarted, DumpProgress, LockWaiterFound, ToolOutput, DumpStored, WorkerFailed)
)
