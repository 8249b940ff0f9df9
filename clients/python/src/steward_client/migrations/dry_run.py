"""The types of a dry run: the statements that migrations would run, and the locks that they take."""

from __future__ import annotations

from dataclasses import dataclass

from steward.v1 import migration_pb2 as pb


@dataclass(frozen=True, slots=True)
class DryLock:
    """A lock that a statement takes."""

    relation: str
    mode: str
    """As PostgreSQL calls it: AccessExclusiveLock, …"""
    blocks_reads: bool
    blocks_writes: bool
    held_statements: int
    """For how many statements it is held, this one included."""


@dataclass(frozen=True, slots=True)
class DryStatement:
    """A statement of a dry run."""

    file: str
    line: int
    sql: str
    locks: tuple[DryLock, ...]
    """The locks on what was there before the migration, the strongest first."""
    rewrites: tuple[str, ...]
    """Tables of which it writes every row anew."""
    scans: tuple[str, ...]
    """Tables that it reads as a whole."""

    @classmethod
    def from_proto(cls, message: pb.MigrateResponse.Statement) -> DryStatement:
        """Reads a steward.v1 MigrateResponse.Statement."""
        return cls(
            file=message.file,
            line=message.line,
            sql=message.sql,
            locks=tuple(
                DryLock(
                    each.relation,
                    each.mode,
                    each.blocks_reads,
                    each.blocks_writes,
                    each.held_statements,
                )
                for each in message.locks
            ),
            rewrites=tuple(message.rewrites),
            scans=tuple(message.scans),
        )
