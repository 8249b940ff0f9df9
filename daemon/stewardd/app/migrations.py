"""The migrations: each database with its set, the proofs in the repository, and the service."""

from __future__ import annotations

from stewardd.app.assembly import Assembly
from stewardd.app.repository import Repository
from stewardd.backup.backups import Backups
from stewardd.config.migrations import MigrationsSettings
from stewardd.errors import ConfigurationError, InvalidRequest
from stewardd.migrations.drift import DriftDetector
from stewardd.migrations.dry_run import DryRunner
from stewardd.migrations.ignoring import ignore_rules
from stewardd.migrations.lint.linter import MigrationLinter
from stewardd.migrations.migrations import (
    PLATFORM,
    MigratedDatabase,
    Migrations,
    MigrationsOptions,
)
from stewardd.migrations.operations import MigrationOperations
from stewardd.migrations.proof import MigrationProofs
from stewardd.migrations.proving import MigrationProver
from stewardd.migrations.rendering import DiagramRenderer
from stewardd.migrations.runner import RunnerOptions
from stewardd.operations.operations import Operations
from stewardd.postgres.databases import Databases
from stewardd.postgres.migrating.execution import LockLimits
from stewardd.postgres.scratch import ScratchServers
from stewardd.rpc import names
from stewardd.rpc.migration.servicer import MigrationServicer


def build_migrations(
    assembly: Assembly,
    repository: Repository,
    databases: Databases,
    operations: Operations,
    backups: Backups,
    scratch_servers: ScratchServers,
) -> None:
    """Adds the service. A backup before a migration is a part of its operation, and no operation of its own."""

    async def back_up(database: str, description: str) -> str:
        manifest = await backups.create(database, description, lambda _: None)
        return names.backup(manifest.backup_id)

    proofs = MigrationProofs(repository.store)
    settings = assembly.settings.migrations
    options = MigrationsOptions(
        RunnerOptions(
            LockLimits(settings.lock_timeout_s, settings.lock_patience_s),
            max_replica_lag_s=settings.max_replica_lag_s,
            max_batches=settings.max_batches,
        )
    )
    migrations = Migrations(
        _databases(assembly, databases), options, back_up=back_up, find_proven=proofs.find_proven
    )
    prover = MigrationProver(scratch_servers, proofs)
    drift = DriftDetector(migrations, scratch_servers, _drift_ignore(settings))
    linter = MigrationLinter(migrations, scratch_servers, settings.lint_exclude, assembly.scratch)
    dry_runner = DryRunner(migrations, scratch_servers)
    work = MigrationOperations(operations, migrations, prover, drift, linter, dry_runner)
    assembly.servicers.append(MigrationServicer(migrations, work, DiagramRenderer(migrations)))


def _drift_ignore(settings: MigrationsSettings) -> list[str]:
    try:
        ignore_rules(settings.drift_ignore)
    except InvalidRequest as error:
        raise ConfigurationError(f"migrations.drift_ignore: {error}") from None
    return settings.drift_ignore


def _databases(assembly: Assembly, databases: Databases) -> dict[str, MigratedDatabase]:
    settings = assembly.settings
    found = {}
    for name, target in databases.direct_targets.items():
        own = settings.postgres.databases.get(name)
        folder = (own and own.migrations_dir) or settings.migrations.dir or PLATFORM
        found[name] = MigratedDatabase(target, folder, settings.migrations.require_proof)
    return found
