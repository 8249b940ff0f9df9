"""The types of BackupService: a backup, and the progress of one that is being made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal

from steward.v1 import backup_pb2 as pb

from steward_client import protobuf_values
from steward_client.backups.reencryption import Reencrypted, ReencryptProgress
from steward_client.backups.restoring import Restored, RestoreProgress
from steward_client.backups.retention import Pruned, PruneProgress
from steward_client.backups.verification import (
    BackupVerification,
    Drill,
    VerifiedBackup,
    VerifyProgress,
)
from steward_client.backups.words import (
    BackupCompression,
    BackupForm,
    BackupGlobals,
    BackupProof,
    BackupProofMode,
    value_of,
    word_of,
)
from steward_client.operations.state import OperationKinds


class BackupPhase(StrEnum):
    """The phase of a backup that is being made. A phase that only a newer daemon knows is UNKNOWN."""

    UNKNOWN = "unknown"
    QUEUED = "queued"
    DUMPING = "dumping"
    PUBLISHING = "publishing"


class BackupState(StrEnum):
    """Whether a backup is deleted."""

    UNKNOWN = "unknown"
    COMPLETE = "complete"
    DELETED = "deleted"
    """Marked; its data are removed at `purge_time`, and it can be had back until then."""


STATES = {
    pb.Backup.STATE_COMPLETE: BackupState.COMPLETE,
    pb.Backup.STATE_DELETED: BackupState.DELETED,
}
_PHASES = {
    pb.CreateBackupMetadata.PHASE_QUEUED: BackupPhase.QUEUED,
    pb.CreateBackupMetadata.PHASE_DUMPING: BackupPhase.DUMPING,
    pb.CreateBackupMetadata.PHASE_PUBLISHING: BackupPhase.PUBLISHING,
}


@dataclass(frozen=True, slots=True)
class BackupProgress:
    """The progress of a backup that is being made."""

    backup: str
    """`backups/{backup}`: the name that it will have."""
    database: str
    phase: BackupPhase
    dumped_bytes: int
    """The bytes of the dump so far, before compression."""
    stored_bytes: int
    database_size_bytes: int
    """The database's size when the dump began; a dump is smaller or larger, so this is a rough measure."""
    create_time: datetime
    dumped_tables: int
    total_tables: int
    """0 while it is not known."""
    done_bytes: int
    """The size of the tables that are dumped, as they are in the database."""
    total_bytes: int
    """The size of all tables, by the database's catalog; 0 while it is not known."""
    time_left_s: float | None
    """An estimate of how long the dump goes on; None while there is none."""
    warnings: tuple[str, ...]
    """Such as that a session waits behind the locks of the dump."""
    tool_output: str
    """What pg_dump and pg_dumpall said; "" in a listing of operations."""

    @classmethod
    def from_proto(cls, message: pb.CreateBackupMetadata) -> BackupProgress:
        """Reads a steward.v1 CreateBackupMetadata."""
        return cls(
            backup=message.backup,
            database=message.database,
            phase=_PHASES.get(message.phase, BackupPhase.UNKNOWN),
            dumped_bytes=message.dumped_bytes,
            stored_bytes=message.stored_bytes,
            database_size_bytes=message.database_size_bytes,
            create_time=protobuf_values.time(message.create_time),
            dumped_tables=message.dumped_tables,
            total_tables=message.total_tables,
            done_bytes=message.done_bytes,
            total_bytes=message.total_bytes,
            time_left_s=protobuf_values.seconds(message.time_left)
            if message.HasField("time_left")
            else None,
            warnings=tuple(message.warnings),
            tool_output=message.tool_output,
        )


@dataclass(frozen=True, slots=True)
class BackupSelection:
    """Chosen parts of a database, by their exact names; all of it where they are empty. A table is SCHEMA.TABLE."""

    schemas: tuple[str, ...] = ()
    exclude_schemas: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    exclude_tables: tuple[str, ...] = ()

    @classmethod
    def from_proto(cls, message: pb.BackupSelection) -> BackupSelection:
        """Reads a steward.v1 BackupSelection."""
        return cls(
            schemas=tuple(message.schemas),
            exclude_schemas=tuple(message.exclude_schemas),
            tables=tuple(message.tables),
            exclude_tables=tuple(message.exclude_tables),
        )


@dataclass(frozen=True, slots=True)
class BackupOptions:
    """How a backup is made; what is left out is as the daemon is configured."""

    selection: BackupSelection = field(default_factory=BackupSelection)
    form: BackupForm | None = None
    jobs: int = 0
    """How many tables a directory dump reads at once."""
    compression: BackupCompression | None = None
    compression_level: int = 0
    proof_mode: BackupProofMode | None = None
    recipients: tuple[str, ...] = ()
    """Which of the configured recipients can read it."""
    globals: bool | None = None
    """Whether the server's roles and tablespaces are kept beside it."""
    lock_timeout_s: float | None = None
    max_duration_s: float | None = None
    max_bytes_per_second: int = 0
    """How many bytes it stores in a second at most."""

    def to_proto(self, request: pb.CreateBackupRequest) -> None:
        """Writes them into a request."""
        for name in ("schemas", "exclude_schemas", "tables", "exclude_tables"):
            getattr(request.selection, name).extend(getattr(self.selection, name))
        request.form = value_of(pb.BackupForm, self.form)
        request.jobs = self.jobs
        request.compression = value_of(pb.BackupCompression, self.compression)
        request.compression_level = self.compression_level
        request.proof_mode = value_of(pb.BackupProofMode, self.proof_mode)
        request.recipients.extend(self.recipients)
        if self.globals is not None:
            request.globals = self.globals
        if self.lock_timeout_s is not None:
            request.lock_timeout.FromNanoseconds(round(self.lock_timeout_s * 1e9))
        if self.max_duration_s is not None:
            request.max_duration.FromNanoseconds(round(self.max_duration_s * 1e9))
        request.max_bytes_per_second = self.max_bytes_per_second


@dataclass(frozen=True, slots=True)
class BackupSource:
    """The database and its server, as far as a restore depends on them."""

    encoding: str
    locale_provider: str
    collation: str
    character_type: str
    locale: str
    in_recovery: bool
    checksum_failures: int | None
    """Those that the server had counted; None where it keeps no checksums."""
    extensions: Mapping[str, str]
    """The version of each extension."""

    @classmethod
    def from_proto(cls, message: pb.Backup.Source) -> BackupSource:
        """Reads a steward.v1 Backup.Source."""
        counted = message.HasField("checksum_failures")
        return cls(
            encoding=message.encoding,
            locale_provider=message.locale_provider,
            collation=message.collation,
            character_type=message.character_type,
            locale=message.locale,
            in_recovery=message.in_recovery,
            checksum_failures=message.checksum_failures if counted else None,
            extensions={each.name: each.version for each in message.extensions},
        )


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of the stored dump."""

    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that exists: every byte is stored and checksummed."""

    name: str
    """`backups/{backup}`."""
    database: str
    snapshot_time: datetime
    """When the dump began: the state of the data that it holds."""
    create_time: datetime
    elapsed_s: float
    dump_size_bytes: int
    stored_size_bytes: int
    server_version: str
    tool_version: str
    dump_sha256: str
    segments: tuple[Segment, ...]
    description: str
    form: BackupForm
    compression: BackupCompression
    compression_level: int
    recipients: tuple[str, ...]
    """To whom it is encrypted; empty: it is not."""
    signer: str
    """The public key that signed it, "" where nobody did."""
    notices: tuple[str, ...]
    """What one has to know about its keys."""
    proof: BackupProof
    proof_mode: BackupProofMode
    selection: BackupSelection
    globals: BackupGlobals
    tables: int
    """The tables whose rows were counted in its snapshot."""
    rows: int
    schema_sha256: str
    source: BackupSource
    state: BackupState
    pinned: bool
    """Nothing deletes it."""
    pin_note: str
    delete_time: datetime | None
    purge_time: datetime | None
    """When a deleted backup may lose its data."""
    replaces: str
    """The backup that this one was encrypted anew from, or empty."""
    verification: BackupVerification | None
    """What its last trial came to; None where nobody has tried it yet."""

    @classmethod
    def from_proto(cls, message: pb.Backup) -> Backup:
        """Reads a steward.v1 Backup."""
        return cls(
            name=message.name,
            database=message.database,
            snapshot_time=protobuf_values.time(message.snapshot_time),
            create_time=protobuf_values.time(message.create_time),
            elapsed_s=protobuf_values.seconds(message.elapsed),
            dump_size_bytes=message.dump_size_bytes,
            stored_size_bytes=message.stored_size_bytes,
            server_version=message.server_version,
            tool_version=message.tool_version,
            dump_sha256=message.dump_sha256,
            segments=tuple(Segment(each.size_bytes, each.sha256) for each in message.segments),
            description=message.description,
            form=word_of(BackupForm, pb.BackupForm, message.form),
            compression=word_of(BackupCompression, pb.BackupCompression, message.compression),
            compression_level=message.compression_level,
            recipients=tuple(message.recipients),
            signer=message.signer,
            notices=tuple(message.notices),
            proof=word_of(BackupProof, pb.BackupProof, message.proof),
            proof_mode=word_of(BackupProofMode, pb.BackupProofMode, message.proof_mode),
            selection=BackupSelection.from_proto(message.selection),
            globals=word_of(BackupGlobals, pb.BackupGlobals, message.globals),
            tables=message.tables,
            rows=message.rows,
            schema_sha256=message.schema_sha256,
            source=BackupSource.from_proto(message.source),
            state=STATES.get(message.state, BackupState.UNKNOWN),
            pinned=message.pinned,
            pin_note=message.pin_note,
            delete_time=_time(message, "delete_time"),
            purge_time=_time(message, "purge_time"),
            replaces=message.replaces,
            verification=BackupVerification.from_proto(message.verification)
            if message.HasField("verification")
            else None,
        )


def _time(message: pb.Backup, field: Literal["delete_time", "purge_time"]) -> datetime | None:
    return protobuf_values.time(getattr(message, field)) if message.HasField(field) else None


@dataclass(frozen=True, slots=True)
class CopyProgress:
    """The progress of a backup that is being copied."""

    backup: str
    copied_bytes: int
    size_bytes: int
    """The bytes that there are to copy."""
    create_time: datetime

    @classmethod
    def from_proto(cls, message: pb.CopyBackupMetadata) -> CopyProgress:
        """Reads a steward.v1 CopyBackupMetadata."""
        return cls(
            backup=message.backup,
            copied_bytes=message.copied_bytes,
            size_bytes=message.size_bytes,
            create_time=protobuf_values.time(message.create_time),
        )


@dataclass(frozen=True, slots=True)
class ImportProgress:
    """The progress of a backup that is being imported."""

    backup: str
    copied_bytes: int
    size_bytes: int
    """The bytes that there are to import."""
    create_time: datetime

    @classmethod
    def from_proto(cls, message: pb.ImportBackupMetadata) -> ImportProgress:
        """Reads a steward.v1 ImportBackupMetadata."""
        return cls(
            backup=message.backup,
            copied_bytes=message.copied_bytes,
            size_bytes=message.size_bytes,
            create_time=protobuf_values.time(message.create_time),
        )


@dataclass(frozen=True, slots=True)
class BackupCopy:
    """A copy of a backup, under the same name in the second repository."""

    backup: str
    repository: str
    """The URL of the second repository, without secrets."""
    size_bytes: int

    @classmethod
    def from_proto(cls, message: pb.CopyBackupResponse) -> BackupCopy:
        """Reads a steward.v1 CopyBackupResponse."""
        return cls(message.backup, message.repository, message.size_bytes)


OPERATION_KINDS = OperationKinds(
    progress={
        pb.CreateBackupMetadata: BackupProgress.from_proto,
        pb.PruneBackupsMetadata: PruneProgress.from_proto,
        pb.ReencryptBackupsMetadata: ReencryptProgress.from_proto,
        pb.CopyBackupMetadata: CopyProgress.from_proto,
        pb.ImportBackupMetadata: ImportProgress.from_proto,
        pb.VerifyBackupMetadata: VerifyProgress.from_proto,
        pb.RestoreBackupMetadata: RestoreProgress.from_proto,
    },
    results={
        pb.Backup: Backup.from_proto,
        pb.PruneBackupsResponse: Pruned.from_proto,
        pb.ReencryptBackupsResponse: Reencrypted.from_proto,
        pb.CopyBackupResponse: BackupCopy.from_proto,
        pb.VerifyBackupResponse: VerifiedBackup.from_proto,
        pb.Drill: Drill.from_proto,
        pb.RestoreBackupResponse: Restored.from_proto,
    },
)
