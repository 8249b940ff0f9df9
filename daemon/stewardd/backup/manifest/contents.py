"""The object `contents` of a backup: what grows with the number of its tables.

It is compressed and encrypted as a segment is, since a hash of few rows can be guessed, and named by its checksum in
the signed manifest, so that it is as good as a part of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, Field

from stewardd.backup.manifest.backup import DumpForm
from stewardd.backup.manifest.values import Sha256
from stewardd.repository.document import LEFT_OUT_IF_NONE, Codec, Count, JsonObject

CONTENTS = "contents"
VERSION = 1
_LONGEST_PATH = 255
Whole = Annotated[
    int, Field(ge=-(1 << 63), lt=1 << 63)
]  # a sequence may stand anywhere in a bigint


def _file_name(value: str) -> str:
    """One name, and none that leads elsewhere: files are written by it when a backup is read."""
    if (
        not value
        or len(value) > _LONGEST_PATH
        or value in (".", "..")
        or {"/", "\0", "\\"} & set(value)
    ):
        raise ValueError("is no name of a file")
    return value


FileName = Annotated[str, AfterValidator(_file_name)]


@dataclass(frozen=True, slots=True)
class BackupTable:
    """A table's rows in the snapshot: how many, and their hash; None where it was not read."""

    schema: str
    name: str
    rows: Count
    hash: str | None = None


@dataclass(frozen=True, slots=True)
class SequenceContents:
    """Where a sequence stood after the dump, and before it: sequences are in no snapshot, so the dump's is between.

    What stood before is None in backups of earlier versions.
    """

    schema: str
    name: str
    last_value: Whole
    is_called: bool
    earlier_value: Annotated[Whole | None, LEFT_OUT_IF_NONE] = None
    earlier_is_called: Annotated[bool | None, LEFT_OUT_IF_NONE] = None


@dataclass(frozen=True, slots=True)
class LargeObjects:
    """How many large objects there were, and the hash of their contents; None where it was not read."""

    count: Count
    hash: str | None


NO_LARGE_OBJECTS = LargeObjects(0, None)


@dataclass(frozen=True, slots=True)
class Piece:
    """Where a part of a file stands: in which segment, from which byte of it when it is unpacked, and how long."""

    segment: Count
    offset: Count
    size_bytes: Count


@dataclass(frozen=True, slots=True)
class DumpFile:
    """A file of a dump of the form `directory`: its pieces in their order."""

    name: FileName
    size_bytes: Count
    sha256: Sha256
    pieces: tuple[Piece, ...]

    def __post_init__(self) -> None:
        if self.size_bytes != sum(each.size_bytes for each in self.pieces):
            raise ValueError("the pieces of a file don't add up to its size")


@dataclass(frozen=True, slots=True)
class SchemaContents:
    """The objects of the database beside its rows: by kind and name, their properties as postgres/catalogue reads them.

    What was changed while the dump was made is not among them.
    """

    major: Count
    objects: JsonObject


@dataclass(frozen=True, slots=True)
class BackupContents:
    """What a backup holds, table by table. `method` names how hashes are made, "" where none were.

    `roles` are those that own an object of the database or have a right to one. They and `schema` are empty in backups
    of earlier versions, and where nothing was read to compare a restore with.
    """

    form: DumpForm
    method: str = ""
    tables: tuple[BackupTable, ...] = ()
    sequences: tuple[SequenceContents, ...] = ()
    large_objects: LargeObjects = NO_LARGE_OBJECTS
    files: tuple[DumpFile, ...] = ()
    roles: tuple[str, ...] = ()
    schema: SchemaContents | None = None

    def __post_init__(self) -> None:
        if len({each.name for each in self.files}) != len(self.files):
            raise ValueError("it names a file twice")


BACKUP_CONTENTS = Codec(BackupContents, constants={"version": VERSION})
