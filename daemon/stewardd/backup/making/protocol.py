"""The messages between the daemon and its backup worker: one JSON object a line.

The job goes in by stdin, since it holds the database's password; stdin then stays open, and its end tells the worker
that the daemon is gone. Events come out by stdout, the last one DumpStored or DumpFailed. Daemon and worker are of one
version, so that reading is plain; a worker that breaks off in the middle of a line has failed by its exit status.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from stewardd import errors
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
from stewardd.postgres.dump_catalog import Choice
from stewardd.postgres.target import DatabaseTarget


@dataclass(frozen=True, slots=True)
class DumpJob:
    """One dump into one folder of the repository. Its repr shows no secret. `staging` is an empty folder of its own."""

    daemon_pid: int
    database: str
    conninfo: str
    pg_dump: str
    pg_dumpall: str
    store_url: str
    store_options: dict[str, str]
    folder: str
    staging: str
    segment_bytes: int
    form: DumpForm
    jobs: int
    compression: Compression
    recipients: tuple[str, ...]
    choice: Choice
    proof: ProofMode
    with_globals: bool
    reserve_bytes: int
    max_duration_s: float
    lock_timeout_s: float

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


@dataclass(frozen=True, slots=True)
class DumpStored:
    """Everything is stored, durably: the members of the manifest that only the worker knows."""

    dump_size_bytes: int
    dump_sha256: str | None
    segments: tuple[Segment, ...]
    contents: StoredContents | None = None
    schema_sha256: str | None = None
    source: Source = UNKNOWN_SOURCE
    globals: Globals = Globals.NONE
    globals_object: StoredObject | None = None
    timings: Timings = NO_TIMINGS


@dataclass(frozen=True, slots=True)
class DumpFailed:
    """An error that the daemon is to raise."""

    reason: str
    message: str
    hint: str
    metadata: dict[str, str]
    field: str | None = None


WorkerEvent = DumpStarted | DumpProgress | DumpStored | DumpFailed
_EVENTS: dict[str, type[WorkerEvent]] = {
    cls.__name__: cls for cls in (DumpStarted, DumpProgress, DumpStored, DumpFailed)
}


@cache
def _adapter(name: str) -> TypeAdapter[Any]:
    return TypeAdapter(_EVENTS.get(name, DumpJob))


def encode_job(job: DumpJob) -> bytes:
    """Writes the first line of the worker's stdin."""
    return bytes(_adapter(DumpJob.__name__).dump_json(job)) + b"\n"


def decode_job(line: bytes) -> DumpJob:
    """Reads that line."""
    job: DumpJob = _adapter(DumpJob.__name__).validate_json(line)
    return job


def encode_event(event: WorkerEvent) -> bytes:
    """Writes a line of the worker's stdout."""
    name = type(event).__name__
    fields = _adapter(name).dump_python(event, mode="json")
    return json.dumps({"event": name, **fields}).encode() + b"\n"


def decode_event(line: bytes) -> WorkerEvent:
    """Reads such a line. Raises: ValueError for what is none."""
    fields: Any = json.loads(line)
    try:
        cls = _EVENTS[fields.pop("event")]
        event: WorkerEvent = _adapter(cls.__name__).validate_json(json.dumps(fields))
    except (AttributeError, KeyError, TypeError, ValidationError) as error:
        raise ValueError(f"no event of a backup worker: {type(error).__name__}") from None
    return event


def dump_failed(error: errors.StewardError) -> DumpFailed:
    """Returns an error as a message."""
    return DumpFailed(error.reason, error.message, error.hint, error.metadata, error.field)


def error_of(failure: DumpFailed) -> errors.StewardError:
    """Returns the error as it was raised in the worker."""
    cls = _by_reason(errors.StewardError).get(failure.reason, errors.ToolFailed)
    return cls(failure.message, hint=failure.hint, metadata=failure.metadata, field=failure.field)


def _by_reason(cls: type[errors.StewardError]) -> Mapping[str, type[errors.StewardError]]:
    found = {cls.reason: cls}
    for child in cls.__subclasses__():
        found |= _by_reason(child)
    return found
