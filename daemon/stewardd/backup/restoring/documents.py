"""What the operation of a restore keeps: how far it has come, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from stewardd.repository.document import Codec, Count, Seconds


class RestoreStage(StrEnum):
    """Where a restore stands as an operation. The words are stored: they never change."""

    QUEUED = "QUEUED"
    CHECKING = "CHECKING"
    RESTORING = "RESTORING"
    COMPARING = "COMPARING"
    SWAPPING = "SWAPPING"


class Packing(StrEnum):
    """How a dump file is compressed as a whole. The words are stored: they never change."""

    NONE = "NONE"
    GZIP = "GZIP"
    ZSTD = "ZSTD"


class FileForm(StrEnum):
    """The forms of pg_dump that a dump file can have. The words are stored: they never change."""

    SQL = "SQL"
    CUSTOM = "CUSTOM"
    TAR = "TAR"
    """also a folder of pg_dump, which comes as a tar archive of it"""


@dataclass(frozen=True, slots=True)
class DumpFileRecord:
    """A dump that steward did not make. "" is what it does not say; `sha256` is known when it was read to its end."""

    uri: str
    form: FileForm
    packing: Packing
    size_bytes: Count = 0
    tool_version: str = ""
    encoding: str = ""
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class RestoreStanding:
    """How far it has come. `size_bytes` is 0 while it is not known."""

    backup: str
    database: str
    target: str = ""
    stage: RestoreStage = RestoreStage.QUEUED
    read_bytes: Count = 0
    size_bytes: Count = 0
    compared_tables: Count = 0
    total_tables: Count = 0
    dump_uri: str = ""


@dataclass(frozen=True, slots=True)
class RestoreMade:
    """A restore that was made: where the data are, where the live database of before is, and what was compared.

    `dump_file` is what was restored where that is no backup, with its tables, and what nobody can prove of it.
    """

    backup: str
    database: str
    target: str
    kept: str = ""
    elapsed_s: Seconds = 0.0
    compared_tables: Count = 0
    compared_rows: Count = 0
    not_compared: tuple[str, ...] = ()
    created_roles: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    dump_file: DumpFileRecord | None = None
    restored_tables: Count = 0
    not_proven: tuple[str, ...] = ()


RESTORE_STANDING = Codec(RestoreStanding)
RESTORE_MADE = Codec(RestoreMade)
