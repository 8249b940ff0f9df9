"""What a restore would do, and what stands in its way: a pure function of the request, the backup and the server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count

from stewardd.backup.manifest.backup import BackupManifest
from stewardd.backup.restoring.documents import DumpFileRecord, FileForm, Packing
from stewardd.backup.restoring.request import RestoreMode, RestoreRequest, RestoreRoles
from stewardd.errors import (
    BackupDeleted,
    ConfirmationDiffers,
    DatabaseInUse,
    DatabaseRefused,
    DatabaseStandby,
    ExtensionsMissing,
    RolesMissing,
    ServerTooOld,
    SignerUnknown,
    StewardError,
    StorageFull,
    TargetIsSource,
    TargetNotEmpty,
    ToolMissing,
)
from stewardd.postgres.binaries import major_of
from stewardd.postgres.restoring.facts import ServerDatabase, ServerFacts
from stewardd.postgres.tools import SETS_TRANSACTION_TIMEOUT_FROM

_LONGEST_NAME_BYTES = 63
_SHOWN = 10
_ALWAYS_THERE = frozenset({"plpgsql"})


@dataclass(frozen=True, slots=True)
class DumpFacts:
    """What is to be restored, as far as a plan depends on it.

    `roles` are those that the chosen entries name, `tables` those with rows. `refusal` is why it must not be used.
    """

    backup_id: str = ""
    snapshot_time: datetime | None = None
    source_version: str = ""
    stored_size_bytes: int = 0
    dump_size_bytes: int = 0
    database_size_bytes: int = 0
    tables: int = 0
    rows: int = 0
    roles: frozenset[str] = frozenset()
    extensions: frozenset[str] = frozenset()
    left_out: tuple[str, ...] = ()
    is_deleted: bool = False
    refusal: StewardError | None = None
    file: DumpFileRecord | None = None
    """what it is where it is no backup of steward"""

    @classmethod
    def of_manifest(cls, manifest: BackupManifest) -> DumpFacts:
        """What the manifest alone says."""
        return cls(
            backup_id=manifest.backup_id,
            snapshot_time=manifest.snapshot_time,
            source_version=manifest.server_version,
            stored_size_bytes=manifest.stored_size_bytes,
            dump_size_bytes=manifest.dump_size_bytes,
            database_size_bytes=manifest.database_size_bytes,
        )


@dataclass(frozen=True, slots=True)
class RestorePlan:
    """What a restore would do. `target` is restored into; `kept` is the live database's name after a swap."""

    request: RestoreRequest
    database: str
    dump: DumpFacts
    server: ServerFacts
    live: str
    target: str
    kept: str
    tool_version: str
    missing_roles: tuple[str, ...]
    missing_extensions: tuple[str, ...]
    target_exists: bool = False
    blockers: tuple[StewardError, ...] = field(default=())

    @property
    def confirmation(self) -> str:
        """What has to be repeated before the live database is replaced; "" where it stays."""
        return self.live if self.request.replaces_live else ""

    @property
    def sessions(self) -> int:
        """Sessions of others that are connected to the live database."""
        found = self.server.databases.get(self.live)
        return found.sessions if found else 0

    @property
    def turn(self) -> str:
        """What only one restore at a time may write to."""
        name = self.live if self.request.replaces_live else self.target
        return f"{self.database}/{name}"

    @property
    def not_proven(self) -> tuple[str, ...]:
        """What nobody can prove of a dump that steward did not make, and what its SQL may do."""
        file = self.dump.file
        if file is None:
            return ()
        found = [
            "nobody has signed the file: who made it is not known",
            "it has neither counts nor hashes: no table is compared with what was dumped",
        ]
        if file.packing is Packing.NONE:
            found.append("it has no checksum of its own: a byte that was changed is not noticed")
        if file.form is FileForm.SQL and not file.tool_version:
            found.append("nothing marks its end: a part that was cut off is not noticed")
        return (*found, f"its SQL runs as {self._rights}")

    @property
    def _rights(self) -> str:
        server = self.server
        if server.is_superuser:
            return f"{server.user!r}, a superuser, who may run programs on the server and change other databases"
        if server.may_run_programs:
            return f"{server.user!r}, who may run programs or use files on the server"
        return f"{server.user!r}, with all of this user's rights on the server"

    def check(self, confirm: str) -> None:
        """Refuses a restore that is not confirmed, or that something stands in the way of. Raises: StewardError."""
        if confirm != self.confirmation:
            said = (
                f"the live database {self.live!r} would be replaced, and `confirm` is not its name"
                if self.confirmation
                else "nothing is replaced, and `confirm` names a database"
            )
            raise ConfirmationDiffers(
                said,
                field="confirm",
                hint=None
                if self.confirmation
                else "leave `confirm` out, or choose SWAP or IN_PLACE",
            )
        for blocker in self.blockers:
            raise blocker


def make_plan(
    request: RestoreRequest,
    database: str,
    live: str,
    dump: DumpFacts,
    server: ServerFacts,
    *,
    now: datetime,
    tool_version: str,
    empty_databases: frozenset[str] = frozenset(),
    reserve_bytes: int = 0,
) -> RestorePlan:
    """Makes a plan. `empty_databases` are those of the server that hold nothing."""
    stamp = now.strftime("%Y%m%d_%H%M%S")
    in_place = request.mode is RestoreMode.IN_PLACE
    target = live if in_place else request.new_database or _name(live, f"restored_{stamp}", server)
    needed = {request.role_map.get(each, each) for each in dump.roles}
    plan = RestorePlan(
        request=request,
        database=database,
        dump=dump,
        server=server,
        live=live,
        target=target,
        kept=_name(live, f"before_{stamp}", server) if request.mode is RestoreMode.SWAP else "",
        tool_version=tool_version,
        missing_roles=tuple(sorted(needed - server.roles)),
        missing_extensions=tuple(sorted(dump.extensions - server.extensions - _ALWAYS_THERE)),
        target_exists=target in server.databases,
    )
    found = tuple(_blockers(plan, empty_databases, reserve_bytes))
    return RestorePlan(
        **{name: getattr(plan, name) for name in plan.__dataclass_fields__ if name != "blockers"},
        blockers=found,
    )


def _blockers(
    plan: RestorePlan, empty_databases: frozenset[str], reserve_bytes: int
) -> Iterator[StewardError]:
    request, dump, server = plan.request, plan.dump, plan.server
    yield from _dump_blockers(plan)
    if server.in_recovery:
        yield DatabaseStandby(
            f"the server of database {plan.database!r} is a standby, on which nothing can be restored"
        )
    if dump.source_version and major_of(dump.source_version) > server.major:
        yield ServerTooOld(
            f"the dump comes from PostgreSQL {dump.source_version}, and the server is {server.version}",
            metadata={"server_major": str(server.major)},
        )
    yield from _target_blockers(plan, empty_databases)
    if plan.missing_roles and request.roles is not RestoreRoles.CREATE:
        yield RolesMissing(f"the server lacks {_listed('role', plan.missing_roles)}")
    if plan.missing_roles and request.roles is RestoreRoles.CREATE and not server.may_create_roles:
        yield DatabaseRefused(
            f"the daemon's user {server.user!r} may not create {_listed('role', plan.missing_roles)}",
            hint="give it CREATEROLE, or create them by hand",
        )
    if plan.missing_extensions:
        yield ExtensionsMissing(f"the server lacks {_listed('extension', plan.missing_extensions)}")
    if request.mode is RestoreMode.SWAP and plan.sessions and not request.ends_sessions:
        yield DatabaseInUse(
            f"{plan.sessions} sessions of others are connected to the live database {plan.live!r}"
        )
    needed_bytes = dump.database_size_bytes + reserve_bytes
    if server.free_bytes is not None and server.free_bytes < needed_bytes:
        yield StorageFull(
            f"the server's disk has {server.free_bytes} bytes free, and the restore needs "
            f"{'about' if dump.file is None else 'at least'} {dump.database_size_bytes} and {reserve_bytes} in reserve",
            hint="free room there, or restore on another server",
        )


def _dump_blockers(plan: RestorePlan) -> Iterator[StewardError]:
    request, dump = plan.request, plan.dump
    if dump.is_deleted:
        yield BackupDeleted(f"backup {dump.backup_id} is deleted")
    if dump.refusal is not None:
        yield dump.refusal
    if dump.file is not None and not request.accepts_unknown_signer:
        yield SignerUnknown(
            f"nobody has signed the dump file; {plan.not_proven[-1]}",
            hint="where you trust who made it, set `accept_unknown_signer`; a database whose user is no superuser "
            "bounds what it can do",
        )


def _target_blockers(plan: RestorePlan, empty_databases: frozenset[str]) -> Iterator[StewardError]:
    request, server = plan.request, plan.server
    live: ServerDatabase | None = server.databases.get(plan.live)
    if request.replaces_live and live is None:
        yield DatabaseRefused(
            f"there is no database {plan.live!r} that could be replaced",
            hint=f"restore it as a new one: mode NEW_DATABASE, new_database {plan.live!r}",
        )
    if request.mode is RestoreMode.IN_PLACE:
        tool_major = major_of(plan.tool_version) if plan.tool_version else 0
        if server.major < SETS_TRANSACTION_TIMEOUT_FROM <= tool_major:
            yield ToolMissing(
                f"in place, a server of PostgreSQL {server.major} needs client tools older than "
                f"{SETS_TRANSACTION_TIMEOUT_FROM}, and those that fit are of {plan.tool_version}: "
                "their pg_restore sets `transaction_timeout`, which fails there and ends the transaction",
                hint=f"restore into a new database and swap it in (mode SWAP), or name the folder of client tools of "
                f"{server.major} in `postgres.tools_dir`",
                metadata={"server_major": str(server.major)},
            )
        return
    if plan.target == plan.live and live is not None:
        yield TargetIsSource(
            f"the new database would have the name of the live one, {plan.live!r}",
            field="new_database",
        )
    elif plan.target_exists and plan.target not in empty_databases:
        yield TargetNotEmpty(f"the server has a database {plan.target!r}, and it is not empty")
    if not plan.target_exists and not server.may_create_databases:
        yield DatabaseRefused(
            f"the daemon's user {server.user!r} may not create databases",
            hint="give it CREATEDB, or make an empty database and name it in `new_database`",
        )


def _name(live: str, ending: str, server: ServerFacts) -> str:
    """A name beside the live one's that no database has yet, no longer than PostgreSQL takes."""
    for number in count(1):
        last = ending if number == 1 else f"{ending}_{number}"
        room = _LONGEST_NAME_BYTES - len(last) - 1
        name = f"{live.encode()[:room].decode(errors='ignore')}_{last}"
        if name not in server.databases:
            break
    return name


def _listed(what: str, names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"the {what}{'s' if len(names) > 1 else ''} {', '.join(names[:_SHOWN])}{more}"
