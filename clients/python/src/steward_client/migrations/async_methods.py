"""The client's methods for migrations: MigrationService."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

from steward_client.connection.async_service import AsyncService
from steward_client.migrations import calls
from steward_client.migrations.diagram import Diagram
from steward_client.migrations.drift import Drift, DriftProgress
from steward_client.migrations.lint import Linted, LintProgress
from steward_client.migrations.types import (
    OPERATION_KINDS,
    Migrated,
    MigrateProgress,
    Migration,
    MigrationStatus,
    Proved,
    ProveProgress,
)
from steward_client.operations.async_operation import AsyncOperation


class AsyncMigrationMethods(AsyncService):
    """Applies, rolls back and proves migrations, and reads what databases have of theirs."""

    async def get_migration_status(
        self, database: str, *, timeout_s: float | None = None
    ) -> MigrationStatus:
        """Returns what a database has of its set."""
        return await self._connection.call(calls.get_migration_status(database), timeout_s)

    def list_migrations(
        self, database: str, *, page_size: int = 0, timeout_s: float | None = None
    ) -> AsyncIterator[Migration]:
        """Yields the migrations of a database and of its set, in order."""
        return self._connection.items(calls.list_migrations(database, page_size), timeout_s)

    async def apply_migrations(
        self,
        database: str,
        *,
        to_version: int = 0,
        skip_backup: bool = False,
        force_unproven: Iterable[str] = (),
        dry_run: bool = False,
        actor: str = "",
        request_id: str | None = None,
        timeout_s: float | None = None,
    ) -> AsyncOperation[MigrateProgress, Migrated]:
        """Begins to apply migrations up to a version (0: all), after a backup.

        `force_unproven` names migrations that are applied though they are not proven, such as `0006_nicknames`.
        `dry_run` changes nothing: the statements are tried on a scratch server, and the result has their locks.

        >>> operation = await client.apply_migrations("main", actor="ana")  # doctest: +SKIP
        >>> migrated = await operation.result()  # doctest: +SKIP
        """
        call = calls.apply_migrations(
            database,
            to_version,
            skip_backup=skip_backup,
            force_unproven=force_unproven,
            actor=actor,
            request_id=request_id,
            dry_run=dry_run,
        )
        state = await self._connection.call(call, timeout_s)
        return AsyncOperation(self._connection, OPERATION_KINDS, state)

    async def roll_back_migrations(
        self,
        database: str,
        to_version: int,
        *,
        skip_backup: bool = False,
        force_unproven: Iterable[str] = (),
        dry_run: bool = False,
        actor: str = "",
        request_id: str | None = None,
        timeout_s: float | None = None,
    ) -> AsyncOperation[MigrateProgress, Migrated]:
        """Begins to take migrations back until `to_version` is the last one (0: none is left), after a backup.

        `dry_run` changes nothing: the statements are tried on a scratch server, and the result has their locks.
        """
        call = calls.roll_back_migrations(
            database,
            to_version,
            skip_backup=skip_backup,
            force_unproven=force_unproven,
            actor=actor,
            request_id=request_id,
            dry_run=dry_run,
        )
        state = await self._connection.call(call, timeout_s)
        return AsyncOperation(self._connection, OPERATION_KINDS, state)

    async def prove_migrations(
        self,
        database: str,
        *,
        server_major: int = 0,
        request_id: str | None = None,
        timeout_s: float | None = None,
    ) -> AsyncOperation[ProveProgress, Proved]:
        """Begins to try every migration of a database's set on a scratch server of its major version, or of another."""
        call = calls.prove_migrations(database, server_major, request_id)
        state = await self._connection.call(call, timeout_s)
        return AsyncOperation(self._connection, OPERATION_KINDS, state)

    async def detect_drift(
        self,
        database: str,
        *,
        ignore: Iterable[str] = (),
        server_major: int = 0,
        request_id: str | None = None,
        timeout_s: float | None = None,
    ) -> AsyncOperation[DriftProgress, Drift]:
        """Begins to compare a database with the migrations that it has, which are replayed on a scratch server.

        `ignore` names objects that are passed over, such as `public.events_2*` or `extension citext`; `server_major`
        is another major version to replay the migrations on.
        """
        call = calls.detect_drift(database, ignore, server_major, request_id)
        state = await self._connection.call(call, timeout_s)
        return AsyncOperation(self._connection, OPERATION_KINDS, state)

    async def lint_migrations(
        self,
        database: str,
        *,
        server_major: int = 0,
        exclude: Iterable[str] = (),
        request_id: str | None = None,
        timeout_s: float | None = None,
    ) -> AsyncOperation[LintProgress, Linted]:
        """Begins to lint a database's set for its major version, or for another; rules that `exclude` names are off."""
        call = calls.lint_migrations(database, server_major, exclude, request_id)
        state = await self._connection.call(call, timeout_s)
        return AsyncOperation(self._connection, OPERATION_KINDS, state)

    async def render_diagram(self, database: str, *, timeout_s: float | None = None) -> Diagram:
        """Draws the tables of a database as they are now, grouped by the migrations that made them."""
        return await self._connection.call(calls.render_diagram(database), timeout_s)

    async def baseline_migrations(
        self, database: str, to_version: int, *, actor: str = "", timeout_s: float | None = None
    ) -> MigrationStatus:
        """Records that a database has the migrations up to a version, without running them."""
        call = calls.baseline_migrations(database, to_version, actor)
        return await self._connection.call(call, timeout_s)

    async def repair_migration(
        self, name: str, *, actor: str = "", timeout_s: float | None = None
    ) -> MigrationStatus:
        """Takes the new SHA-256 of an applied migration's files, where what its up file does has not changed.

        `name` is such as `databases/main/migrations/0004_deduplication`.
        """
        return await self._connection.call(calls.repair_migration(name, actor), timeout_s)
