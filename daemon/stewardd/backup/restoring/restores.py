"""Restores backups: plans, refuses, makes the new database, fills it, compares it, and swaps it in where that is asked.

The live database is not touched before the restored one has been compared, save in place, where one transaction does it
all. What fails or is cancelled leaves nothing on the server: the new database and the new roles are removed again. What
a killed daemon left is marked as such (marked.py), and is removed by `clear`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from stewardd.backup.restoring.comparison import check_restored
from stewardd.backup.restoring.documents import RestoreMade, RestoreStage, RestoreStanding
from stewardd.backup.restoring.dump import DumpFinder, FoundDump
from stewardd.backup.restoring.marked import (
    create_new_roles,
    create_unfinished,
    remove_unfinished,
)
from stewardd.backup.restoring.options import RestoreOptions, RestoreProgress, RestoreResult
from stewardd.backup.restoring.plan import RestorePlan, make_plan
from stewardd.backup.restoring.request import RestoreMode, RestoreRequest, RestoreRoles
from stewardd.backup.restoring.unfinished import UnfinishedRestore, UnfinishedRestores
from stewardd.backup.verifying.comparing import Expected
from stewardd.errors import (
    DatabaseInUse,
    DatabaseUnknown,
    RestoreInProgress,
    StewardError,
    ToolMissing,
)
from stewardd.postgres.connect import connect
from stewardd.postgres.restoring.databases import Finish, finish, server_identity
from stewardd.postgres.restoring.facts import find_way, live_database, read_facts
from stewardd.postgres.restoring.lock_watch import watch_locks
from stewardd.postgres.restoring.server import APPLICATION, RestoreServer
from stewardd.postgres.restoring.swap import carry_over, swap
from stewardd.postgres.target import DatabaseTarget
from stewardd.postgres.tools import SETS_TRANSACTION_TIMEOUT_FROM, ClientTools
from stewardd.repository.turns import Turns
from stewardd.telemetry import logger
from stewardd.uninterrupted import uninterrupted

log = logger("backup")
ReportStanding = Callable[[RestoreStanding], None]

_PROBE_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class RestoreSettings:
    """How restores are made where a request does not say otherwise."""

    tools_dir: Path | None = None
    staging_dir: Path = Path()
    jobs: int = 2
    reserve_bytes: int = 256 << 20
    max_duration_s: float = 24 * 3600.0
    lock_timeout_s: float = 60.0


class Restores:
    """Restores into the servers of the configured databases."""

    def __init__(
        self,
        databases: Mapping[str, DatabaseTarget],
        finder: DumpFinder,
        unfinished: UnfinishedRestores,
        turns: Turns,
        settings: RestoreSettings,
    ) -> None:
        self._databases = dict(databases)
        self._finder = finder
        self._unfinished = unfinished
        self._turns = turns
        self._settings = settings

    async def plan(self, request: RestoreRequest) -> RestorePlan:
        """What a restore would do, with what stands in its way.

        Raises: InvalidRequest, DatabaseUnknown, BackupNotFound, KeyMissing, Corrupt, DatabaseDown, DatabaseRefused.
        """
        request.check()
        found = await self._finder.find(request)
        async with self._server(self._database_of(request, found)) as server:
            return (await self._plan(request, found, server))[0]

    async def run(
        self, request: RestoreRequest, confirm: str, report: ReportStanding
    ) -> RestoreMade:
        """Restores. Raises: what `RestorePlan.check` raises, RestoreInProgress, RestoreDiffers, and restore_into."""
        began_at = time.monotonic()
        request.check()
        found = await self._finder.find(request)
        async with self._server(self._database_of(request, found)) as server:
            plan, tools = await self._plan(request, found, server)
            async with AsyncExitStack() as stack:
                for name in sorted(
                    {plan.target, plan.live if request.replaces_live else plan.target}
                ):
                    await stack.enter_async_context(self._turn(plan.database, name))
                plan.check(confirm)  # what is known already, before a file is read to its end
                found = await self._examined(plan, found, report)
                plan, tools = await self._plan(request, found, server, like=plan)
                plan.check(confirm)
                if tools is None:
                    raise ToolMissing("no client tools fit the server")
                restore = _Restore(
                    plan, found, server, tools, self._settings, self._unfinished, report
                )
                made = await restore.run()
        elapsed_s = round(time.monotonic() - began_at, 3)
        log.info(
            "backup restored",
            backup=made.backup or found.name,
            database=made.database,
            target=made.target,
            mode=request.mode.value,
            elapsed_s=elapsed_s,
        )
        return replace(made, elapsed_s=elapsed_s)

    async def _examined(
        self, plan: RestorePlan, found: FoundDump, report: ReportStanding
    ) -> FoundDump:
        standing = _standing(plan, found, RestoreStage.CHECKING)

        def hear(progress: RestoreProgress) -> None:
            report(
                replace(standing, read_bytes=progress.read_bytes, size_bytes=progress.total_bytes)
            )

        options = RestoreOptions(max_duration_s=self._settings.max_duration_s)
        return await found.examined(options, hear)

    async def clear(self) -> None:
        """Removes the databases that restores of dead daemons left half done. Raises: RepositoryDown."""
        for token, left in (await self._unfinished.all()).items():
            if left.database not in self._databases:
                continue  # another daemon of the repository knows it
            try:
                async with self._turn(left.database, left.name):
                    await self._clear(token, left)
            except StewardError as error:  # it goes on, or its server is away: another time
                log.info("unfinished restore left", database=left.name, reason=error.reason)

    async def _clear(self, token: str, left: UnfinishedRestore) -> None:
        async with self._server(left.database) as server:
            if left.server not in ("", await server_identity(server.connection, server.way)):
                return  # another daemon calls its own server the same
            await remove_unfinished(server.connection, server.way, left, token)
        await self._unfinished.end(token)
        log.warning("unfinished restore cleared away", database=left.name)

    def _database_of(self, request: RestoreRequest, found: FoundDump) -> str:
        name = request.database or found.database
        if not name and len(self._databases) == 1:
            (name,) = self._databases
        if name not in self._databases:
            there = ", ".join(sorted(self._databases))
            raise DatabaseUnknown(
                f"there is no database {name!r} to restore on; there is {there}", field="database"
            )
        return name

    async def _plan(
        self,
        request: RestoreRequest,
        found: FoundDump,
        server: RestoreServer,
        like: RestorePlan | None = None,
    ) -> tuple[RestorePlan, ClientTools | None]:
        """Makes a plan; one that is `like` an earlier one keeps its names."""
        if like is not None and request.mode is not RestoreMode.IN_PLACE:
            request = replace(request, new_database=like.target)
        facts = await read_facts(server.connection, server.sight)
        blocked: list[StewardError] = []
        tools: ClientTools | None = None
        try:
            tools = await found.tools(server.sight, self._settings.tools_dir)
        except ToolMissing as error:
            blocked.append(error)
        empty: frozenset[str] = frozenset()
        if request.new_database in facts.databases and await server.is_empty(request.new_database):
            empty = frozenset({request.new_database})
        plan = make_plan(
            request,
            server.database,
            server.live,
            found.facts,
            facts,
            now=datetime.now(UTC),
            tool_version=tools.version if tools else "",
            empty_databases=empty,
            reserve_bytes=self._settings.reserve_bytes,
        )
        kept = like.kept if like is not None else plan.kept
        return replace(plan, kept=kept, blockers=(*plan.blockers, *blocked)), tools

    @asynccontextmanager
    async def _server(self, database: str) -> AsyncIterator[RestoreServer]:
        target = self._databases[database]
        sight = await find_way(target, _PROBE_TIMEOUT_S)
        connection = await connect(sight.way, APPLICATION)
        try:
            yield RestoreServer(database, await live_database(target), sight, connection)
        finally:
            await connection.close()

    @asynccontextmanager
    async def _turn(self, database: str, name: str) -> AsyncIterator[None]:
        def refuse() -> None:
            raise RestoreInProgress(f"another restore writes into the database {name!r}")

        async with self._turns.take(f"{database}/{name}", on_wait=refuse):
            yield


@dataclass(slots=True)
class _Restore:
    """One restore that is under way."""

    plan: RestorePlan
    found: FoundDump
    server: RestoreServer
    tools: ClientTools
    settings: RestoreSettings
    unfinished: UnfinishedRestores
    report: ReportStanding
    expected: Expected | None = field(init=False)
    standing: RestoreStanding = field(init=False)
    record: UnfinishedRestore = field(init=False)
    token: str = ""
    roles: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        plan = self.plan
        self.expected = self.found.expected(plan.request, is_added=plan.target_exists)
        self.standing = _standing(self.plan, self.found, RestoreStage.QUEUED)

    async def run(self) -> RestoreMade:
        """Does it; what fails is undone, to its end."""
        try:
            return await self._run()
        except BaseException as error:
            if self.token:
                await uninterrupted(self._undo())
            if isinstance(error, StewardError) and self._has_filled_what_was_there:
                error.hint = f"what was restored is left in {self.plan.target!r}: empty it before you try again"
            raise

    async def _run(self) -> RestoreMade:
        plan, request, found = self.plan, self.plan.request, self.found
        await self._make()
        self._enter(RestoreStage.RESTORING)
        restored = await self._restore()
        if self.expected is not None:
            self._enter(RestoreStage.COMPARING)
            await check_restored(
                plan,
                self.server.target(plan.target),
                self.expected,
                jobs=self._jobs,
                psql=self.tools.psql,
                on_table=self._count_table,
            )
        if request.mode is RestoreMode.SWAP:
            self._enter(RestoreStage.SWAPPING)
            await self._swap()
        elif self._makes_database:
            comment = f"restored from {found.name}"
            await self._finish(Finish(plan.target, comment, self.roles))
        else:
            await self._finish(Finish(roles=self.roles))
        compared = self.expected.tables if self.expected is not None else {}
        return RestoreMade(
            backup=found.facts.backup_id,
            database=plan.database,
            target=plan.live if request.mode is RestoreMode.SWAP else plan.target,
            kept=plan.kept,
            compared_tables=len(compared),
            compared_rows=sum(each.rows for each in compared.values()),
            not_compared=found.not_compared,
            created_roles=self.roles,
            left_out=found.facts.left_out,
            dump_file=found.facts.file,
            restored_tables=restored.restored_tables,
            not_proven=plan.not_proven,
        )

    @property
    def _has_filled_what_was_there(self) -> bool:
        plan = self.plan
        is_begun = self.standing.stage is not RestoreStage.QUEUED
        return is_begun and plan.target_exists and plan.target != plan.live

    @property
    def _makes_database(self) -> bool:
        plan = self.plan
        return plan.request.mode is not RestoreMode.IN_PLACE and not plan.target_exists

    async def _make(self) -> None:
        """Makes the roles and the database that are wanted, after it was recorded that they may be there."""
        plan, server = self.plan, self.server
        makes_roles = plan.request.roles is RestoreRoles.CREATE
        roles = plan.missing_roles if makes_roles else ()
        if not roles and not self._makes_database:
            return
        identity = await server_identity(server.connection, server.way)
        self.record = UnfinishedRestore(
            datetime.now(UTC), plan.database, plan.target, roles, identity
        )
        self.token = await self.unfinished.begin(self.record)
        if roles:
            creating = create_new_roles(server.connection, server.way, roles, self.token)
            self.roles = tuple(await uninterrupted(creating))
        if self._makes_database:
            locale, token = self.found.locale, self.token
            await uninterrupted(
                create_unfinished(server.connection, server.way, plan.target, locale, token)
            )

    async def _finish(self, what: Finish) -> None:
        """Takes the marks away from what was made: from here on it stays."""
        if what.statements:
            await finish(self.server.connection, self.server.way, what)
        await self._forget()

    async def _forget(self) -> None:
        """Forgets that a restore is unfinished: it is finished, or undone. Where that fails, `clear` does it later."""
        token, self.token = self.token, ""
        try:
            if token:
                await self.unfinished.end(token)
        except StewardError as error:
            log.info("finished restore not forgotten", target=self.plan.target, error=error.message)

    async def _undo(self) -> None:
        """Removes what was made, or leaves it to `clear`. The restore's own connection may be broken."""
        try:
            connection = await connect(self.server.way, APPLICATION)
            try:
                await remove_unfinished(connection, self.server.way, self.record, self.token)
            finally:
                await connection.close()
        except StewardError as error:
            log.error(
                "what a failed restore made is left", target=self.plan.target, error=error.message
            )
        else:
            await self._forget()

    async def _restore(self) -> RestoreResult:
        plan, request = self.plan, self.plan.request
        options = RestoreOptions(
            schemas=request.selection.schemas,
            tables=request.tables,
            jobs=self._jobs,
            with_owners=request.roles is not RestoreRoles.IGNORE,
            with_privileges=request.roles is not RestoreRoles.IGNORE,
            in_place=request.mode is RestoreMode.IN_PLACE,
            role_map=dict(request.role_map),
            staging_dir=self.settings.staging_dir,
            reserve_bytes=self.settings.reserve_bytes,
            max_duration_s=self.settings.max_duration_s,
            is_server_older=self.server.sight.major
            < SETS_TRANSACTION_TIMEOUT_FROM
            <= self.tools.major,
            tools_major=self.tools.major,
        )
        target = self.server.target(plan.target)
        work = self.found.restore(target, self.tools, options, self._hear)
        if request.mode is not RestoreMode.IN_PLACE:
            return await work
        return await _first_of(
            work,
            watch_locks(
                self.server.connection,
                self.server.way,
                plan.live,
                APPLICATION,
                timeout_s=self.settings.lock_timeout_s,
                ends_sessions=request.ends_sessions,
            ),
        )

    async def _swap(self) -> None:
        plan, server = self.plan, self.server
        comment = await carry_over(server.connection, server.way, plan.live, plan.target)
        second = await connect(server.way, APPLICATION)
        try:
            await swap(
                server.connection,
                second,
                server.way,
                live=plan.live,
                restored=plan.target,
                kept=plan.kept,
                finish=Finish(plan.live, comment, self.roles),
                ends_sessions=plan.request.ends_sessions,
            )
        except DatabaseInUse as error:
            await self._finish(Finish(plan.target, comment, self.roles))
            raise DatabaseInUse(
                f"{error.message}; the restored database is kept as {plan.target!r}",
                hint="stop the services, and rename the two databases; or restore again with `end_sessions`",
            ) from None
        finally:
            await second.close()
        await self._forget()

    @property
    def _jobs(self) -> int:
        in_place = self.plan.request.mode is RestoreMode.IN_PLACE
        return 1 if in_place else self.plan.request.jobs or self.settings.jobs

    def _enter(self, stage: RestoreStage) -> None:
        self.standing = replace(self.standing, stage=stage)
        self.report(self.standing)

    def _hear(self, progress: RestoreProgress) -> None:
        self.standing = replace(
            self.standing, read_bytes=progress.read_bytes, size_bytes=progress.total_bytes
        )
        self.report(self.standing)

    def _count_table(self) -> None:
        self.standing = replace(self.standing, compared_tables=self.standing.compared_tables + 1)
        self.report(self.standing)


async def _first_of(
    work: Coroutine[Any, Any, RestoreResult], watch: Coroutine[Any, Any, NoReturn]
) -> RestoreResult:
    """Does the work as long as the watch has nothing to say. Raises: what either raises."""
    working, watching = asyncio.create_task(work), asyncio.create_task(watch)
    try:
        done, _ = await asyncio.wait((working, watching), return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working in done else watching.result()
    finally:
        working.cancel()
        watching.cancel()
        await uninterrupted(asyncio.wait((working, watching)))


def _standing(plan: RestorePlan, found: FoundDump, stage: RestoreStage) -> RestoreStanding:
    expected = found.expected(plan.request, is_added=plan.target_exists)
    return RestoreStanding(
        found.facts.backup_id,
        plan.database,
        plan.target,
        stage,
        total_tables=len(expected.tables) if expected is not None else 0,
        dump_uri=plan.request.dump_uri,
    )
