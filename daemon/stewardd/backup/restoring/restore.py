"""The daemon's side of a restore: hands the worker its job, and returns what came of it."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from stewardd.backup.manifest.backup import BackupManifest, DumpForm
from stewardd.backup.restoring.options import (
    RestoreOptions,
    RestoreProgress,
    RestoreResult,
    RestoreSource,
)
from stewardd.backup.restoring.protocol import (
    MESSAGES,
    RestoreEnded,
    RestoreEvent,
    RestoreJob,
)
from stewardd.backup.worker.process import WorkerTask, run_worker
from stewardd.postgres.binaries import major_of
from stewardd.postgres.target import DatabaseTarget
from stewardd.postgres.tools import (
    KNOWS_TRANSACTION_SIZE_FROM,
    ClientTools,
    choose_tools,
    find_tools,
)
from stewardd.uninterrupted import uninterrupted

Report = Callable[[RestoreProgress], None]
_MODULE = "stewardd.backup.restoring.worker"
# How many objects are created in one transaction. Each keeps a few locks until its end, of about 6,900 that a server
# has room for by default.
_BATCH_OBJECTS = 100


async def restoring_tools(
    manifest: BackupManifest,
    server_major: int,
    tools_dir: Path | None,
    *,
    needs_tls: bool = False,
    needs_gss: bool = False,
) -> ClientTools:
    """Chooses a pg_restore that is older than neither the server nor the pg_dump that wrote the backup.

    Raises: ToolMissing.
    """
    wanted = max(server_major, major_of(manifest.tool_version))
    found = await find_tools(tools_dir)
    return choose_tools(wanted, found, needs_tls=needs_tls, needs_gss=needs_gss)


async def restore_into(
    source: RestoreSource,
    target: DatabaseTarget,
    pg_restore: str,
    options: RestoreOptions,
    report: Report = lambda _: None,
) -> RestoreResult:
    """Restores a backup into a database; cancelling the task ends the worker and its pg_restore first.

    Raises: Corrupt, KeyMissing, BackupNotFound, InvalidRequest for a schema or a table that the backup does not hold,
    StorageFull, DatabaseDown, DatabaseRefused, ToolFailed, ToolMissing, Exhausted, RepositoryDown.
    """

    def hear(event: RestoreEvent) -> None:
        if isinstance(event, RestoreProgress):
            report(event)

    async with staging_folder(options.staging_dir) as staging:
        job = _job(source, target, pg_restore, options, staging)
        task = WorkerTask(
            _MODULE, MESSAGES, job, RestoreEnded, job.called, job.max_duration_s, job.secrets
        )
        ended = await run_worker(task, hear)
    return RestoreResult(
        ended.issues,
        ended.stderr,
        ended.restored_tables,
        ended.read_bytes,
        ended.checked_s,
        ended.elapsed_s,
    )


def _job(
    source: RestoreSource,
    target: DatabaseTarget,
    pg_restore: str,
    options: RestoreOptions,
    staging: Path,
) -> RestoreJob:
    return RestoreJob(
        daemon_pid=os.getpid(),
        manifest=source.manifest,
        store_url=source.store_url,
        store_options=dict(source.store_options),
        identities=tuple(str(each.key) for each in source.identities),
        database=target.name,
        conninfo=target.conninfo,
        pg_restore=pg_restore,
        arguments=_arguments(source.manifest.form, options),
        settings=dict(options.settings),
        schemas=options.schemas,
        tables=options.tables,
        role_map=dict(options.role_map),
        in_place=options.in_place,
        jobs=1 if options.in_place else options.jobs,
        stop_at_first_error=options.stop_at_first_error,
        staging=str(staging),
        reserve_bytes=options.reserve_bytes,
        max_duration_s=options.max_duration_s,
    )


def _arguments(form: DumpForm, options: RestoreOptions) -> tuple[str, ...]:
    """The options, and how many objects a transaction creates.

    With a commit for each object, creating 2,000 tables is mostly waiting for the disk. Only several jobs are told to:
    there the batches end before rows, indexes and keys, so that no transaction keeps the locks of many foreign keys
    between partitions. pg_restore then stops at its first error in any case.
    """
    found = pg_restore_arguments(options)
    is_parallel = form is DumpForm.DIRECTORY and options.jobs > 1 and not options.in_place
    if (
        is_parallel
        and "--exit-on-error" in found
        and options.tools_major >= KNOWS_TRANSACTION_SIZE_FROM
    ):
        return (*found, f"--transaction-size={_BATCH_OBJECTS}")
    return found


def pg_restore_arguments(options: RestoreOptions) -> tuple[str, ...]:
    """How the options are written for pg_restore."""
    left_out = (
        (options.with_owners, "--no-owner"),
        (options.with_privileges, "--no-privileges"),
        (options.with_tablespaces, "--no-tablespaces"),
        (options.with_subscriptions, "--no-subscriptions"),
        (options.with_security_labels, "--no-security-labels"),
    )
    found = [flag for is_wanted, flag in left_out if not is_wanted]
    if options.role:
        found.append(f"--role={options.role}")
    if options.in_place:
        found += ["--clean", "--if-exists", "--single-transaction"]
    if options.stop_at_first_error and (options.in_place or not options.is_server_older):
        found.append("--exit-on-error")
    return tuple(found)


@asynccontextmanager
async def staging_folder(parent: Path) -> AsyncIterator[Path]:
    """A private folder for what is decrypted, which is gone when the block ends, whatever ended it."""
    folder = parent / f"restore-{secrets.token_hex(8)}"
    await asyncio.to_thread(folder.mkdir, 0o700, parents=True)
    try:
        yield folder
    finally:
        await uninterrupted(asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True))
