"""The manifest of a backup, version 2: the one small object that makes it exist.

It is read strictly: where one member is not as it was written, the others are not to be trusted either. What grows with
the number of tables (their counts and hashes, the files of the dump) is not here, but in the object `contents`, which
the manifest names by its checksum: so a listing of ten thousand backups stays small.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from stewardd.backup.manifest.values import RecipientText, SegmentName, Sha256, Signer
from stewardd.repository.document import LEFT_OUT_IF_EMPTY, Count, Identifier, Moment, Seconds

VERSION = 2


class DumpForm(StrEnum):
    """How pg_dump wrote it. The words are stored: they never change."""

    CUSTOM = "custom"
    """one stream, of which the segments are the pieces in their order"""
    DIRECTORY = "directory"
    """a folder of files; each segment is a tar archive of files, or of a piece of one"""


class CompressionMethod(StrEnum):
    """How each segment is compressed, before it is encrypted. The words are stored."""

    ZSTD = "zstd"
    GZIP = "gzip"
    NONE = "none"


class Encryption(StrEnum):
    """How each segment is encrypted. The words are stored."""

    AGE = "age"
    NONE = "none"


class ProofMode(StrEnum):
    """What was read of each table to compare a restore with. The words are stored."""

    HASH = "hash"
    COUNT = "count"
    NONE = "none"


class Globals(StrEnum):
    """What of the server's roles and tablespaces lies beside the dump. The words are stored."""

    NONE = "none"
    COMPLETE = "complete"
    WITHOUT_PASSWORDS = "without-passwords"


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of the stored dump: its object's name within the backup, its size and its SHA-256 as stored."""

    name: SegmentName
    size_bytes: Count
    sha256: Sha256


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object beside the segments: its size and its SHA-256 as stored."""

    size_bytes: Count
    sha256: Sha256


@dataclass(frozen=True, slots=True)
class StoredContents:
    """The object `contents`: its size and SHA-256 as stored, and how much it lists."""

    size_bytes: Count
    sha256: Sha256
    tables: Count
    rows: Count
    sequences: Count


@dataclass(frozen=True, slots=True)
class Compression:
    """The method, and its level; 0 where the method has none, or is not known any more."""

    method: CompressionMethod
    level: Annotated[int, Field(ge=0, le=22)] = 0


USUAL_COMPRESSION = Compression(CompressionMethod.ZSTD, 3)


@dataclass(frozen=True, slots=True)
class Selection:
    """What of a database was asked for, by exact names; all of it where these are empty."""

    schemas: tuple[str, ...]
    exclude_schemas: tuple[str, ...]
    tables: tuple[str, ...]
    exclude_tables: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        """Whether it is the whole database."""
        return not (self.schemas or self.exclude_schemas or self.tables or self.exclude_tables)


def select(
    *,
    schemas: Sequence[str] = (),
    exclude_schemas: Sequence[str] = (),
    tables: Sequence[str] = (),
    exclude_tables: Sequence[str] = (),
) -> Selection:
    """Returns a selection of what is named; of nothing named, the whole database."""
    return Selection(tuple(schemas), tuple(exclude_schemas), tuple(tables), tuple(exclude_tables))


WHOLE_DATABASE = select()


@dataclass(frozen=True, slots=True)
class Extension:
    """An extension that the database had."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Source:
    """The server and the database that were dumped, as far as a restore depends on them.

    `checksum_failures` are those that the server had counted for this database; None where it keeps no checksums.
    """

    encoding: str
    locale_provider: str
    collation: str
    character_type: str
    locale: str
    in_recovery: bool
    checksum_failures: Count | None
    snapshot: str
    extensions: tuple[Extension, ...]


UNKNOWN_SOURCE = Source(
    "", "", "", "", "", in_recovery=False, checksum_failures=None, snapshot="", extensions=()
)


@dataclass(frozen=True, slots=True)
class Timings:
    """How long the parts took. Dump, storing and proof go on at the same time; `globals_s` is what came after them."""

    dump_s: Seconds
    proof_s: Seconds
    globals_s: Seconds


NO_TIMINGS = Timings(0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class BackupManifest:
    """One backup. `snapshot_time` is the moment of the data that it holds; `signer` is "" where nobody signed.

    `dump_size_bytes` counts before compression, `stored_size_bytes` what lies in the repository for the dump.
    `replaces` is the backup that this one was encrypted anew from: everything but the encryption is as it was there.
    """

    backup_id: Identifier
    database: str
    description: str
    snapshot_time: Moment
    create_time: Moment
    elapsed_s: Seconds
    database_size_bytes: Count
    dump_size_bytes: Count
    dump_sha256: Sha256 | None
    server_version: str
    tool_version: str
    form: DumpForm
    compression: Compression
    encryption: Encryption
    globals: Globals
    segments: tuple[Segment, ...]
    stored_size_bytes: Count
    signer: Signer
    recipients: tuple[RecipientText, ...] = ()
    selection: Selection = WHOLE_DATABASE
    proof: ProofMode = ProofMode.NONE
    schema_sha256: Sha256 | None = None
    contents: StoredContents | None = None
    source: Source = UNKNOWN_SOURCE
    timings: Timings = NO_TIMINGS
    globals_object: StoredObject | None = None
    replaces: Annotated[Identifier | None, LEFT_OUT_IF_EMPTY] = None

    def __post_init__(self) -> None:
        check_segments(self.segments, self.stored_size_bytes)
        if (self.encryption is Encryption.AGE) != bool(self.recipients):
            raise ValueError("its recipients don't fit its encryption")
        if self.form is DumpForm.CUSTOM and self.dump_sha256 is None:
            raise ValueError("it has no checksum of the dump")
        if self.form is DumpForm.DIRECTORY and self.contents is None:
            raise ValueError("it does not say where its files are")
        if (self.globals is Globals.NONE) != (self.globals_object is None):
            raise ValueError("its roles and tablespaces don't fit what it says of them")


def check_segments(segments: Iterable[Segment], stored_size_bytes: int) -> None:
    """Refuses segments that can't be those of one backup. Raises: ValueError."""
    listed = list(segments)
    if not listed:
        raise ValueError("it has no segments")
    if len({each.name for each in listed}) < len(listed):
        raise ValueError("it names a segment twice")
    if stored_size_bytes != sum(each.size_bytes for each in listed):
        raise ValueError("its segments don't add up to its size")
