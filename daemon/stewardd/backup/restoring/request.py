"""What a restore is asked to do, and what of that cannot be right whatever the server says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from stewardd.backup.asked import read_table_name
from stewardd.backup.manifest.backup import WHOLE_DATABASE, Selection
from stewardd.errors import InvalidRequest
from stewardd.postgres.dump_catalog import TableName

_LONGEST_NAME_BYTES = 63
_MOST_JOBS = 64


class RestoreMode(StrEnum):
    """Where the restored data go."""

    NEW_DATABASE = "NEW_DATABASE"
    SWAP = "SWAP"
    IN_PLACE = "IN_PLACE"


class RestoreRoles(StrEnum):
    """What is done about owners and rights."""

    REQUIRED = "REQUIRED"
    CREATE = "CREATE"
    IGNORE = "IGNORE"


@dataclass(frozen=True, slots=True)
class RestoreRequest:
    """A restore of a backup, or of the dump file that a URI names.

    `database` is the configured name, "" the backup's own.
    """

    backup_id: str = ""
    dump_uri: str = ""
    database: str = ""
    mode: RestoreMode = RestoreMode.NEW_DATABASE
    new_database: str = ""
    selection: Selection = WHOLE_DATABASE
    jobs: int = 0
    roles: RestoreRoles = RestoreRoles.REQUIRED
    role_map: Mapping[str, str] = field(default_factory=dict)
    ends_sessions: bool = False
    from_second: bool = False
    accepts_unknown_signer: bool = False

    @property
    def tables(self) -> tuple[TableName, ...]:
        """The chosen tables. Raises: InvalidRequest."""
        return tuple(read_table_name(each, "selection.tables") for each in self.selection.tables)

    @property
    def replaces_live(self) -> bool:
        """Whether the live database is replaced, wholly or in part."""
        return self.mode is not RestoreMode.NEW_DATABASE

    @property
    def fingerprint(self) -> dict[str, Any]:
        """What makes it another request, as JSON."""
        chosen = self.selection
        return {
            "backup": self.backup_id,
            **({"dump_uri": self.dump_uri} if self.dump_uri else {}),
            "database": self.database,
            "mode": self.mode.value,
            "new_database": self.new_database,
            "schemas": list(chosen.schemas),
            "tables": list(chosen.tables),
            "jobs": self.jobs,
            "roles": self.roles.value,
            "role_map": dict(self.role_map),
            "end_sessions": self.ends_sessions,
            "from_second": self.from_second,
            "accept_unknown_signer": self.accepts_unknown_signer,
        }

    def check(self) -> None:
        """Refuses what contradicts itself. Raises: InvalidRequest."""
        if not self.backup_id and not self.dump_uri:
            raise InvalidRequest("the request names no backup", field="backup")
        if self.dump_uri:
            self._check_dump_file()
        if self.selection.exclude_schemas or self.selection.exclude_tables:
            raise InvalidRequest(
                "a restore excludes nothing: name what it takes", field="selection"
            )
        if not 0 <= self.jobs <= _MOST_JOBS:
            raise InvalidRequest(f"jobs are 1 to {_MOST_JOBS}", field="jobs")
        if self.new_database and self.mode is RestoreMode.IN_PLACE:
            raise InvalidRequest("in place there is no new database", field="new_database")
        _check_name(self.new_database, "new_database")
        for role in (*self.role_map, *self.role_map.values()):
            _check_name(role or " ", "role_map")
        if not all(self.role_map.values()):
            raise InvalidRequest("a role is mapped to nothing", field="role_map")
        if self.role_map and self.roles is RestoreRoles.IGNORE:
            raise InvalidRequest("roles that are left out are not mapped", field="role_map")
        if self.mode is RestoreMode.SWAP and not self.selection.is_whole:
            raise InvalidRequest(
                "chosen schemas and tables can't take the place of a whole database",
                field="selection",
                hint="restore them into a new database, or in place",
            )
        _ = self.tables

    def _check_dump_file(self) -> None:
        if self.backup_id:
            raise InvalidRequest("a restore is of a backup or of a dump file", field="dump_uri")
        if self.from_second:
            raise InvalidRequest("a dump file lies in no repository", field="repository")
        if self.mode is RestoreMode.IN_PLACE:
            raise InvalidRequest(
                "a dump file is not restored in place: what it holds cannot be compared",
                field="mode",
                hint="restore it into a new database, look at it, and have it take the live one's place",
            )


def _check_name(name: str, field_name: str) -> None:
    if len(name.encode()) > _LONGEST_NAME_BYTES or "\0" in name:
        raise InvalidRequest(
            f"a name in PostgreSQL has at most {_LONGEST_NAME_BYTES} bytes", field=field_name
        )
