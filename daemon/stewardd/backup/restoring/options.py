"""What a restore is told and what it tells: options, progress, result, and what pg_restore complained about."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from stewardd.backup.keys.encryption import AgeIdentity
from stewardd.backup.manifest.backup import BackupManifest
from stewardd.postgres.dump_catalog import TableName


@dataclass(frozen=True, slots=True)
class RestoreSource:
    """Where a backup lies, and the keys that read it. Its repr shows no secret."""

    manifest: BackupManifest
    store_url: str
    store_options: Mapping[str, str] = field(default_factory=dict, repr=False)
    identities: tuple[AgeIdentity, ...] = ()


@dataclass(frozen=True, slots=True)
class RestoreOptions:
    """How pg_restore puts a backup into a database.

    `schemas` and `tables` choose a part, by exact names; everything where both are empty. `role` is the role that the
    restore takes on (SET ROLE), so that it owns everything where `with_owners` is off. `jobs` count for a backup of the
    form `directory`. A restore that does not stop at its first error goes on, and tells each one in its result.
    """

    schemas: tuple[str, ...] = ()
    tables: tuple[TableName, ...] = ()
    jobs: int = 1
    with_owners: bool = True
    with_privileges: bool = True
    with_tablespaces: bool = True
    with_subscriptions: bool = True
    with_security_labels: bool = True
    role_map: Mapping[str, str] = field(default_factory=dict)
    """roles of the dump, and those that take their place"""
    in_place: bool = False
    """whether what the dump holds is dropped first, all in one transaction"""
    role: str = ""
    stop_at_first_error: bool = True
    is_server_older: bool = False
    """whether pg_restore is of 17 or later, and the server of before: it then goes on behind a setting of its own"""
    tools_major: int = 0
    """the major version of pg_restore; 0 where it is not known"""
    settings: Mapping[str, str] = field(default_factory=dict)
    """settings of the server for the sessions of the restore"""
    staging_dir: Path = field(default_factory=lambda: Path(tempfile.gettempdir()))
    """where a private folder is made for the files of a backup of the form `directory`; gone when the restore ends"""
    reserve_bytes: int = 256 << 20
    """what of that disk is left to others"""
    max_duration_s: float = 6 * 3600.0


class RestorePhase(StrEnum):
    """Where a restore stands. The words are stored: they never change."""

    CHECKING = "CHECKING"
    RESTORING = "RESTORING"


@dataclass(frozen=True, slots=True)
class RestoreProgress:
    """How far a restore has come.

    `read_bytes` of `total_bytes` are checked, or given to pg_restore, by the phase; a table counts when its rows begin.
    """

    phase: RestorePhase
    read_bytes: int
    total_bytes: int
    restored_tables: int
    total_tables: int


@dataclass(frozen=True, slots=True)
class RestoreIssue:
    """What pg_restore could not do: the entry of the dump, such as "TABLE DATA people", and why. No row is in it."""

    entry: str
    error: str
    command: str = ""

    def __str__(self) -> str:
        return f"{self.entry}: {self.error}" if self.entry else self.error


@dataclass(frozen=True, slots=True)
class RestoreResult:
    """A restore that came to its end. `issues` is empty where it stops at the first error.

    `stderr` is what pg_restore wrote, without its narration and without values of rows. `checked_s` of `elapsed_s` went
    into reading and checking the backup before the first row.
    """

    issues: tuple[RestoreIssue, ...]
    stderr: str
    restored_tables: int
    read_bytes: int
    checked_s: float
    elapsed_s: float
