"""The types of LintMigrations: what linting a set of migrations found."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from steward.v1 import migration_pb2 as pb

from steward_client import protobuf_values


@dataclass(frozen=True, slots=True)
class LintProgress:
    """How far linting has come."""

    database: str
    server_major: int
    migration: str
    """The migration that is being tried."""
    done_count: int
    total_count: int
    create_time: datetime

    @classmethod
    def from_proto(cls, message: pb.LintMigrationsMetadata) -> LintProgress:
        """Reads a steward.v1 LintMigrationsMetadata."""
        return cls(
            database=message.database,
            server_major=message.server_major,
            migration=message.migration,
            done_count=message.done_count,
            total_count=message.total_count,
            create_time=protobuf_values.time(message.create_time),
        )


@dataclass(frozen=True, slots=True)
class LintFinding:
    """One finding in a file of a migration."""

    migration: str
    file: str
    line: int
    rule: str
    message: str
    advice: str
    """How the same is done without keeping anybody waiting."""

    @classmethod
    def from_proto(cls, message: pb.LintMigrationsResponse.Finding) -> LintFinding:
        """Reads a steward.v1 LintMigrationsResponse.Finding."""
        return cls(
            migration=message.migration,
            file=message.file,
            line=message.line,
            rule=message.rule,
            message=message.message,
            advice=message.advice,
        )


@dataclass(frozen=True, slots=True)
class Linted:
    """What linting a database's set found."""

    database: str
    linter: str
    server_version: str
    tried_count: int
    """How many migrations could be tried on a scratch server, from the first on."""
    finding_count: int
    findings: tuple[LintFinding, ...]
    """The findings, by file and line; at most 1000."""

    @classmethod
    def from_proto(cls, message: pb.LintMigrationsResponse) -> Linted:
        """Reads a steward.v1 LintMigrationsResponse."""
        return cls(
            database=message.database,
            linter=message.linter,
            server_version=message.server_version,
            tried_count=message.tried_count,
            finding_count=message.finding_count,
            findings=tuple(map(LintFinding.from_proto, message.findings)),
        )
