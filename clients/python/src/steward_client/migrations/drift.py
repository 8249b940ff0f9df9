"""The types of DetectDrift: how a database differs from its migrations."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from steward.v1 import migration_pb2 as pb

from steward_client import protobuf_values


@dataclass(frozen=True, slots=True)
class DriftProgress:
    """How far the detection of drift has come."""

    database: str
    server_major: int
    migration: str
    """The migration that is being replayed."""
    done_count: int
    total_count: int
    create_time: datetime

    @classmethod
    def from_proto(cls, message: pb.DetectDriftMetadata) -> DriftProgress:
        """Reads a steward.v1 DetectDriftMetadata."""
        return cls(
            database=message.database,
            server_major=message.server_major,
            migration=message.migration,
            done_count=message.done_count,
            total_count=message.total_count,
            create_time=protobuf_values.time(message.create_time),
        )


@dataclass(frozen=True, slots=True)
class DriftDifference:
    """One difference between a database and its migrations."""

    kind: str
    """The kind of object: table, column, index, …"""
    name: str
    property: str
    """What differs; `existence` where the whole object is missing, or is there and should not be."""
    wanted: str | None
    """What the migrations say; None where they do not make the object."""
    found: str | None
    """What the database has; None where it does not have the object."""
    text: str
    mending: tuple[str, ...]
    """SQL that would mend it; empty where no statement can."""

    @classmethod
    def from_proto(cls, message: pb.DetectDriftResponse.Difference) -> DriftDifference:
        """Reads a steward.v1 DetectDriftResponse.Difference."""
        return cls(
            kind=message.kind,
            name=message.name,
            property=message.property,
            wanted=message.wanted if message.HasField("wanted") else None,
            found=message.found if message.HasField("found") else None,
            text=message.text,
            mending=tuple(message.mending),
        )


@dataclass(frozen=True, slots=True)
class Drift:
    """How a database differs from the migrations that it has."""

    database: str
    version: int
    """The number of the last migration that the database has."""
    server_version: str
    scratch_version: str
    """The version of the server that the migrations were replayed on."""
    difference_count: int
    ignored_count: int
    differences: tuple[DriftDifference, ...]
    """The differences, by kind of object; the first ones, at most 1000 and 1 MiB."""
    script: tuple[str, ...]
    """SQL that would mend them, in an order that can be run. Read it first: it may drop data."""

    @classmethod
    def from_proto(cls, message: pb.DetectDriftResponse) -> Drift:
        """Reads a steward.v1 DetectDriftResponse."""
        return cls(
            database=message.database,
            version=message.version,
            server_version=message.server_version,
            scratch_version=message.scratch_version,
            difference_count=message.difference_count,
            ignored_count=message.ignored_count,
            differences=tuple(map(DriftDifference.from_proto, message.differences)),
            script=tuple(message.script),
        )
