"""The restores of backups, and the job that removes what restores of dead daemons left on the servers."""

from __future__ import annotations

import os

from stewardd.app.assembly import Assembly
from stewardd.app.copies import clear_options
from stewardd.app.repository import Repository
from stewardd.backup.copying.second_repository import SecondRepository
from stewardd.backup.dump_files.found_file import DumpFileFinder
from stewardd.backup.dump_files.places import DumpPlaces, DumpRoot
from stewardd.backup.keys.keyring import Keyring
from stewardd.backup.restoring.dump import DumpFinders
from stewardd.backup.restoring.found_backup import BackupFinder
from stewardd.backup.restoring.operation import BackupRestoring
from stewardd.backup.restoring.restores import Restores, RestoreSettings
from stewardd.backup.restoring.unfinished import UnfinishedRestores
from stewardd.operations.operations import Operations
from stewardd.postgres.databases import Databases
from stewardd.repository.turns import Turns
from stewardd.scheduler.job import Job

FIRST_AFTER_S = 1.0
CLEAR_INTERVAL_S = 600.0


def build_restores(
    assembly: Assembly,
    repository: Repository,
    databases: Databases,
    operations: Operations,
    keyring: Keyring,
    second: SecondRepository | None,
) -> BackupRestoring:
    """Adds the job; returns what starts restores."""
    settings = assembly.settings
    backups = BackupFinder(
        repository.store,
        settings.repository_url,
        assembly.store_options,
        keyring,
        second,
        assembly.scratch,
    )
    roots = [
        DumpRoot(root.url, clear_options(root.options))
        for root in settings.backup.import_roots.values()
    ]
    restores = Restores(
        databases.direct_targets,
        DumpFinders(backups, DumpFileFinder(DumpPlaces(roots))),
        UnfinishedRestores(repository.store),
        Turns(repository.store, repository.lease, "restores"),
        RestoreSettings(
            tools_dir=settings.postgres.tools_dir,
            staging_dir=assembly.scratch,
            jobs=settings.backup.jobs or max(1, (os.cpu_count() or 1) // 2),
            max_duration_s=settings.backup.restore_max_duration_s,
            lock_timeout_s=settings.backup.lock_timeout_s,
        ),
    )
    assembly.jobs.append(
        Job("unfinished restores", restores.clear, CLEAR_INTERVAL_S, first_after_s=FIRST_AFTER_S)
    )
    return BackupRestoring(operations, restores)
