"""The manifest of a backup: the one object that makes it exist.

It has a version and is read strictly: where one member is not as it was written, the others are not to be trusted
either. A reader knows its own version, and refuses any other by its number.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator

from stewardd.repository.document import Codec, Count, Identifier, Moment, Seconds

VERSION = 1
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"segment-\d{6,}", re.ASCII)


def _sha256(value: str) -> str:
    if _SHA256.fullmatch(value) is None:
        raise ValueError("is no SHA-256")
    return value


def _segment_name(value: str) -> str:
    if _NAME.fullmatch(value) is None:
        raise ValueError("is no name of a segment")
    return value


Sha256 = Annotated[str, AfterValidator(_sha256)]


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of the stored dump: its object's name within the backup, its size and its SHA-256 as stored."""

    name: Annotated[str, AfterValidator(_segment_name)]
    size_bytes: Count
    sha256: Sha256


@dataclass(frozen=True, slots=True)
class BackupManifest:
    """One backup. `snapshot_time` is the moment of the data that it holds; the sizes are before and after zstd."""

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
        if not self.segments:
            raise ValueError("it has no segments")
        if len({segment.name for segment in self.segments}) != len(self.segments):
            raise ValueError("it names a segment twice")
        if self.stored_size_bytes != sum(segment.size_bytes for segment in self.segments):
            raise ValueError("its segments don't add up to its size")


BACKUP_MANIFEST = Codec(
    BackupManifest,
    constants={"version": VERSION, "format": "pg_dump custom, zstd frame per segment"},
)
