"""Restores: what they are asked to do, their plans, their progress and what came of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from steward.v1 import backup_pb2 as pb

from steward_client import protobuf_values
from steward_client.backups.words import value_of, word_of


class RestoreMode(StrEnum):
    """Where the restored data go."""

    UNKNOWN = "unknown"
    NEW_DATABASE = "new_database"
    SWAP = "swap"
    """Into a new database, which then takes the place of the live one; that one is kept under another name."""
    IN_PLACE = "in_place"
    """Into the live database, in one transaction."""


class RestoreRoles(StrEnum):
    """What is done about owners and rights."""

    UNKNOWN = "unknown"
    REQUIRED = "required"
    CREATE = "create"
    """Missing roles are made, without login and password."""
    IGNORE = "ignore"
    """Everything belongs to the daemon's user."""


class RestorePhase(StrEnum):
    """The phase of a restore. A phase that only a newer daemon knows is UNKNOWN."""

    UNKNOWN = "unknown"
    QUEUED = "queued"
    CHECKING = "checking"
    """A dump file is read to its end, before anything is made."""
    RESTORING = "restoring"
    COMPARING = "comparing"
    SWAPPING = "swapping"


class DumpForm(StrEnum):
    """The form of a dump file."""

    UNKNOWN = "unknown"
    SQL = "sql"
    CUSTOM = "custom"
    TAR = "tar"
    """Also a tar archive of a folder of pg_dump."""


class DumpPacking(StrEnum):
    """How a dump file is compressed as a whole."""

    UNKNOWN = "unknown"
    NONE = "none"
    GZIP = "gzip"
    ZSTD = "zstd"


@dataclass(frozen=True, slots=True)
class DumpFile:
    """A dump that steward did not make."""

    uri: str
    form: DumpForm
    packing: DumpPacking
    size_bytes: int
    tool_version: str
    """The pg_dump that wrote it; "" where it does not say."""
    encoding: str
    sha256: str
    """Of the file; "" before it was read to its end."""

    @classmethod
    def from_proto(cls, message: pb.DumpFile) -> DumpFile:
        """Reads a steward.v1 DumpFile."""
        return cls(
            uri=message.uri,
            form=_FORMS.get(message.form, DumpForm.UNKNOWN),
            packing=_PACKINGS.get(message.packing, DumpPacking.UNKNOWN),
            size_bytes=message.size_bytes,
            tool_version=message.tool_version,
            encoding=message.encoding,
            sha256=message.sha256,
        )


_FORMS = {
    pb.DumpFile.FORM_SQL: DumpForm.SQL,
    pb.DumpFile.FORM_CUSTOM: DumpForm.CUSTOM,
    pb.DumpFile.FORM_TAR: DumpForm.TAR,
}
_PACKINGS = {
    pb.DumpFile.PACKING_NONE: DumpPacking.NONE,
    pb.DumpFile.PACKING_GZIP: DumpPacking.GZIP,
    pb.DumpFile.PACKING_ZSTD: DumpPacking.ZSTD,
}


@dataclass(frozen=True, slots=True)
class RestoreOptions:
    """How a backup is restored, and where."""

    database: str = ""
    """The configured database on whose server it is restored; "" is the one that the backup is of."""
    mode: RestoreMode | None = None
    """None is a new database."""
    new_database: str = ""
    """Its name on the server; "": the daemon chooses one."""
    schemas: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    """As SCHEMA.TABLE; with `schemas` what is restored, and all where both are empty."""
    jobs: int = 0
    roles: RestoreRoles | None = None
    role_map: Mapping[str, str] = field(default_factory=dict)
    """Roles of the dump, and those that take their place."""
    end_sessions: bool = False
    """Whether live sessions are ended that are in the way of a SWAP or of a restore IN_PLACE."""
    from_second: bool = False
    """Whether the backup is read from the second repository."""
    accept_unknown_signer: bool = False
    dump_uri: str = ""
    """A dump that others made, in the place of a backup: below one of the daemon's `backup.import_roots`."""

    def to_proto(self, backup: str) -> pb.RestoreSpec:
        """Returns them as a steward.v1 RestoreSpec."""
        return pb.RestoreSpec(
            backup=protobuf_values.resource("backups", backup) if backup else "",
            database=self.database,
            mode=value_of(pb.RestoreMode, self.mode),
            new_database=self.new_database,
            selection=pb.BackupSelection(schemas=self.schemas, tables=self.tables),
            jobs=self.jobs,
            roles=value_of(pb.RestoreRoles, self.roles),
            role_map=self.role_map,
            end_sessions=self.end_sessions,
            repository=pb.BACKUP_REPOSITORY_SECOND
            if self.from_second
            else pb.BACKUP_REPOSITORY_FIRST,
            accept_unknown_signer=self.accept_unknown_signer,
            dump_uri=self.dump_uri,
        )


@dataclass(frozen=True, slots=True)
class RestoreBlocker:
    """A reason for which a restore would be refused."""

    reason: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class RestorePlan:
    """What a restore would do, and what stands in its way."""

    backup: str
    database: str
    mode: RestoreMode
    live_database: str
    """The live database's name on its server."""
    target_database: str
    """The database that is restored into."""
    kept_database: str
    """The live one's name after a SWAP."""
    snapshot_time: datetime | None
    source_version: str
    server_version: str
    tool_version: str
    stored_size_bytes: int
    dump_size_bytes: int
    needed_bytes: int
    """About as much room as the restored database takes."""
    free_bytes: int | None
    """None where the daemon can't know it."""
    tables: int
    rows: int
    missing_roles: tuple[str, ...]
    missing_extensions: tuple[str, ...]
    sessions: int
    """Those of others that are connected to the live database."""
    left_out: tuple[str, ...]
    """Foreign keys to tables that were not chosen."""
    last_elapsed_s: float | None
    """How long the last restore of this database took."""
    confirmation: str
    """What `confirm` must be; "" where nothing is replaced."""
    blockers: tuple[RestoreBlocker, ...]
    dump_file: DumpFile | None = None
    """What is restored, where it is no backup."""
    not_proven: tuple[str, ...] = ()
    """What nobody can prove of a dump file, and with whose rights its SQL runs."""

    @classmethod
    def from_proto(cls, message: pb.RestorePlan) -> RestorePlan:
        """Reads a steward.v1 RestorePlan."""
        timed, sized = message.HasField("last_elapsed"), message.HasField("free_bytes")
        return cls(
            backup=message.backup,
            database=message.database,
            mode=word_of(RestoreMode, pb.RestoreMode, message.mode),
            live_database=message.live_database,
            target_database=message.target_database,
            kept_database=message.kept_database,
            snapshot_time=protobuf_values.time(message.snapshot_time)
            if message.HasField("snapshot_time")
            else None,
            source_version=message.source_version,
            server_version=message.server_version,
            tool_version=message.tool_version,
            stored_size_bytes=message.stored_size_bytes,
            dump_size_bytes=message.dump_size_bytes,
            needed_bytes=message.needed_bytes,
            free_bytes=message.free_bytes if sized else None,
            tables=message.tables,
            rows=message.rows,
            missing_roles=tuple(message.missing_roles),
            missing_extensions=tuple(message.missing_extensions),
            sessions=message.sessions,
            left_out=tuple(message.left_out),
            last_elapsed_s=protobuf_values.seconds(message.last_elapsed) if timed else None,
            confirmation=message.confirmation,
            blockers=tuple(
                RestoreBlocker(each.reason, each.message, each.hint) for each in message.blockers
            ),
            dump_file=_dump_file(message),
            not_proven=tuple(message.not_proven),
        )


@dataclass(frozen=True, slots=True)
class RestoreProgress:
    """The progress of a restore."""

    backup: str
    database: str
    target_database: str
    phase: RestorePhase
    read_bytes: int
    """The bytes that were checked, or restored, so far."""
    size_bytes: int
    compared_tables: int
    total_tables: int
    create_time: datetime
    dump_uri: str = ""
    """The dump file that is restored; "" where it is a backup."""

    @classmethod
    def from_proto(cls, message: pb.RestoreBackupMetadata) -> RestoreProgress:
        """Reads a steward.v1 RestoreBackupMetadata."""
        return cls(
            backup=message.backup,
            database=message.database,
            target_database=message.target_database,
            phase=_PHASES.get(message.phase, RestorePhase.UNKNOWN),
            read_bytes=message.read_bytes,
            size_bytes=message.size_bytes,
            compared_tables=message.compared_tables,
            total_tables=message.total_tables,
            create_time=protobuf_values.time(message.create_time),
            dump_uri=message.dump_uri,
        )


_PHASES = {
    pb.RestoreBackupMetadata.PHASE_QUEUED: RestorePhase.QUEUED,
    pb.RestoreBackupMetadata.PHASE_CHECKING: RestorePhase.CHECKING,
    pb.RestoreBackupMetadata.PHASE_RESTORING: RestorePhase.RESTORING,
    pb.RestoreBackupMetadata.PHASE_COMPARING: RestorePhase.COMPARING,
    pb.RestoreBackupMetadata.PHASE_SWAPPING: RestorePhase.SWAPPING,
}


@dataclass(frozen=True, slots=True)
class Restored:
    """A restore that was made."""

    backup: str
    database: str
    target_database: str
    """Where the restored data are."""
    kept_database: str
    """The live database of before a SWAP."""
    elapsed_s: float
    compared_tables: int
    """The tables that were compared with the backup, all of them equal."""
    compared_rows: int
    not_compared: tuple[str, ...]
    created_roles: tuple[str, ...]
    left_out: tuple[str, ...]
    dump_file: DumpFile | None = None
    """What was restored, where it is no backup."""
    restored_tables: int = 0
    not_proven: tuple[str, ...] = ()
    """What nobody can prove of a dump file, and with whose rights its SQL ran."""

    @classmethod
    def from_proto(cls, message: pb.RestoreBackupResponse) -> Restored:
        """Reads a steward.v1 RestoreBackupResponse."""
        return cls(
            backup=message.backup,
            database=message.database,
            target_database=message.target_database,
            kept_database=message.kept_database,
            elapsed_s=protobuf_values.seconds(message.elapsed),
            compared_tables=message.compared_tables,
            compared_rows=message.compared_rows,
            not_compared=tuple(message.not_compared),
            created_roles=tuple(message.created_roles),
            left_out=tuple(message.left_out),
            dump_file=_dump_file(message),
            restored_tables=message.restored_tables,
            not_proven=tuple(message.not_proven),
        )


def _dump_file(message: pb.RestorePlan | pb.RestoreBackupResponse) -> DumpFile | None:
    return DumpFile.from_proto(message.dump_file) if message.HasField("dump_file") else None
