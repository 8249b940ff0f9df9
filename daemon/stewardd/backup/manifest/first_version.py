"""Version 1 of the manifest: one custom-format dump in zstd frames, neither encrypted nor signed.

Backups of it stay readable, and are none that anybody vouches for: whoever can write to the repository can write one.
"""

from __future__ import annotations

from dataclasses import dataclass

from stewardd.backup.manifest.backup import (
    BackupManifest,
    Compression,
    CompressionMethod,
    DumpForm,
    Encryption,
    Globals,
    Segment,
    check_segments,
)
from stewardd.backup.manifest.values import Sha256
from stewardd.repository.document import Codec, Count, Identifier, Moment, Seconds

VERSION = 1


@dataclass(frozen=True, slots=True)
class FirstBackupManifest:
    """A backup as version 1 describes it."""

    backup_id: Identifier
    database: str
    description: str
    snapshot_time: Moment
    create_time: Moment
    elapsed_s: Seconds
    database_size_bytes: Count
    dump_size_bytes: Count
    dump_sha256: Sha256
    server_version: str
    tool_version: str
    segments: tuple[Segment, ...]
    stored_size_bytes: Count

    def __post_init__(self) -> None:
        check_segments(self.segments, self.stored_size_bytes)

    def to_backup(self) -> BackupManifest:
        """Returns it as today's manifest."""
        return BackupManifest(
            backup_id=self.backup_id,
            database=self.database,
            description=self.description,
            snapshot_time=self.snapshot_time,
            create_time=self.create_time,
            elapsed_s=self.elapsed_s,
            database_size_bytes=self.database_size_bytes,
            dump_size_bytes=self.dump_size_bytes,
            dump_sha256=self.dump_sha256,
            server_version=self.server_version,
            tool_version=self.tool_version,
            form=DumpForm.CUSTOM,
            compression=Compression(CompressionMethod.ZSTD),
            encryption=Encryption.NONE,
            globals=Globals.NONE,
            segments=self.segments,
            stored_size_bytes=self.stored_size_bytes,
            signer="",
        )


FIRST_MANIFEST = Codec(
    FirstBackupManifest,
    constants={"version": VERSION, "format": "pg_dump custom, zstd frame per segment"},
)
