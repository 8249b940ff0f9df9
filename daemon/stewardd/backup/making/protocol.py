"""The messages between the daemon and its backup worker: one JSON object a line.

The job goes in by stdin, since it holds the database's password; stdin then stays open, and its end tells the worker
that the daemon is gone. Events come out by stdout, the last one DumpStored or DumpFailed. Daemon and worker are of one
version, so that reading is plain; a worker that breaks off in the middle of a line has failed by its exit status.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from stewardd import errors
from stewardd.backup.manifest.backup import Compression, CompressionMethod, Segment
from stewardd.postgres.target import DatabaseTarget


@dataclass(frozen=True, slots=True)
class DumpJob:
    """One dump into one folder of the repository. Its repr shows no secret."""

    daemon_pid: int
    database: str
    conninfo: str
    pg_dump: str
    store_url: str
    store_options: dict[str, str]
    folder: str
    segment_bytes: int
    compression: Compression
    recipients: tuple[str, ...]
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


@dataclass(frozen=True, slots=True)
class DumpProgress:
    """How far it has come."""

    dumped_bytes: int
    stored_bytes: int


@dataclass(frozen=True, slots=True)
class DumpStored:
    """Every segment is stored, durably."""

    dump_size_bytes: int
    dump_sha256: str
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class DumpFailed:
    """An error that the daemon is to raise."""

    reason: str
    message: str
    hint: str
    metadata: dict[str, str]


WorkerEvent = DumpStarted | DumpProgress | DumpStored | DumpFailed
_EVENTS: dict[str, type[WorkerEvent]] = {
    cls.__name__: cls for cls in (DumpStarted, DumpProgress, DumpStored, DumpFailed)
}


def encode_job(job: DumpJob) -> bytes:
    """Writes the first line of the worker's stdin."""
    return json.dumps(asdict(job)).encode() + b"\n"


def decode_job(line: bytes) -> DumpJob:
    """Reads that line."""
    fields = json.loads(line)
    method, level = fields["compression"].values()
    fields["compression"] = Compression(CompressionMethod(method), level)
    fields["recipients"] = tuple(fields["recipients"])
    return DumpJob(**fields)


def encode_event(event: WorkerEvent) -> bytes:
    """Writes a line of the worker's stdout."""
    return (
        json.dumps({"event": type(event).__name__, **asdict(event)}, default=_moment).encode()
        + b"\n"
    )


def decode_event(line: bytes) -> WorkerEvent:
    """Reads such a line. Raises: ValueError for what is none."""
    fields: Any = json.loads(line)
    try:
        cls = _EVENTS[fields.pop("event")]
        if cls is DumpStarted:
            fields["snapshot_time"] = datetime.fromisoformat(fields["snapshot_time"])
        if cls is DumpStored:
            fields["segments"] = tuple(Segment(**each) for each in fields["segments"])
        return cls(**fields)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"no event of a backup worker: {error}") from None


def dump_failed(error: errors.StewardError) -> DumpFailed:
    """Returns an error as a message."""
    return DumpFailed(error.reason, error.message, error.hint, error.metadata)


def error_of(failure: DumpFailed) -> errors.StewardError:
    """Returns the error as it was raised in the worker."""
    cls = _by_reason(errors.StewardError).get(failure.reason, errors.ToolFailed)
    return cls(failure.message, hint=failure.hint, metadata=failure.metadata)


def _by_reason(cls: type[errors.StewardError]) -> Mapping[str, type[errors.StewardError]]:
    found = {cls.reason: cls}
    for child in cls.__subclasses__():
        found |= _by_reason(child)
    return found


def _moment(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no place in an event")
