"""What a backup says of itself: the object whose existence makes it exist.

Frozen, versioned, and read strictly: a manifest that is not just so is Corrupt, for what it promises about the data
could not be believed either. A reader knows the versions up to its own; what it doesn't know it refuses, by number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, TypeVar

from stewardd.errors import Corrupt

VERSION = 1
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"segment-\d{6,}")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of the stored dump: its object's name within the backup, its size and its SHA-256 as stored."""

    name: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class BackupManifest:
    """One backup. `snapshot_time` is the moment of the data that it holds; the sizes are before and after zstd."""

    backup_id: str
    database: str
    description: str
    snapshot_time: datetime
    create_time: datetime
    elapsed_s: float
    database_size_bytes: int
    dump_size_bytes: int
    dump_sha256: str
    server_version: str
    tool_version: str
    segments: tuple[Segment, ...]

    @property
    def stored_size_bytes(self) -> int:
        """Its size in the repository."""
        return sum(segment.size_bytes for segment in self.segments)

    def to_document(self) -> dict[str, Any]:
        """As JSON; `from_document` reads it back."""
        document = asdict(self)
        return {
            "version": VERSION,
            "format": "pg_dump custom, zstd frame per segment",
            **document,
            "snapshot_time": self.snapshot_time.isoformat(),
            "create_time": self.create_time.isoformat(),
            "stored_size_bytes": self.stored_size_bytes,
            "segments": [asdict(segment) for segment in self.segments],
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any], backup_id: str) -> BackupManifest:
        """Reads the manifest of a backup. Raises Corrupt, naming the backup and the first field at fault."""
        fields = _Fields(document, f"the manifest of backup {backup_id}")
        version = fields.take("version", int)
        if version != VERSION:
            raise fields.corrupt(f"is of version {version}, and this daemon reads {VERSION}")
        manifest = cls(
            backup_id=fields.take("backup_id", str),
            database=fields.take("database", str),
            description=fields.take("description", str),
            snapshot_time=fields.moment("snapshot_time"),
            create_time=fields.moment("create_time"),
            elapsed_s=fields.take("elapsed_s", float),
            database_size_bytes=fields.count("database_size_bytes"),
            dump_size_bytes=fields.count("dump_size_bytes"),
            dump_sha256=fields.sha256("dump_sha256"),
            server_version=fields.take("server_version", str),
            tool_version=fields.take("tool_version", str),
            segments=_segments(fields),
        )
        if manifest.backup_id != backup_id:
            raise fields.corrupt("is that of another backup")
        if fields.count("stored_size_bytes") != manifest.stored_size_bytes:
            raise fields.corrupt("has segments that don't add up to its size")
        return manifest


def _segments(fields: _Fields) -> tuple[Segment, ...]:
    segments = []
    for number, entry in enumerate(fields.take("segments", list)):
        if not isinstance(entry, Mapping):
            raise fields.corrupt(f"has no object as segment {number}")
        part = _Fields(entry, f"{fields.what}, segment {number},")
        name = part.take("name", str)
        if _NAME.fullmatch(name) is None:
            raise part.corrupt("bears no name of a segment")
        segments.append(Segment(name, part.count("size_bytes"), part.sha256("sha256")))
    if not segments:
        raise fields.corrupt("has no segments")
    if len({segment.name for segment in segments}) != len(segments):
        raise fields.corrupt("names a segment twice")
    return tuple(segments)


class _Fields:
    """Strict access to a JSON object. Everything raises Corrupt."""

    def __init__(self, document: Mapping[str, Any], what: str) -> None:
        self._document = document
        self.what = what

    def corrupt(self, why: str) -> Corrupt:
        return Corrupt(f"{self.what} {why}")

    def take(self, name: str, kind: type[_T]) -> _T:
        value = self._document.get(name)
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind:  # exactly: True is no number here
            raise self.corrupt(f"has no {kind.__name__} as {name}")
        return value

    def count(self, name: str) -> int:
        value = self.take(name, int)
        if value < 0:
            raise self.corrupt(f"has a negative {name}")
        return value

    def sha256(self, name: str) -> str:
        value = self.take(name, str)
        if _SHA256.fullmatch(value) is None:
            raise self.corrupt(f"has no SHA-256 as {name}")
        return value

    def moment(self, name: str) -> datetime:
        try:
            value = datetime.fromisoformat(self.take(name, str))
        except ValueError:
            raise self.corrupt(f"has no time as {name}") from None
        if value.tzinfo is None:
            raise self.corrupt(f"has a time without a zone as {name}")
        return value
