"""The backups: making them as operations, reading those that exist, and telling Health how they ended."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta

from stewardd.app.assembly import Assembly
from stewardd.app.copies import Copying, build_imports, watch_copies
from stewardd.app.repository import Repository
from stewardd.app.restores import build_restores
from stewardd.app.retention import Retention, build_reencryption, build_retention
from stewardd.app.schedules import build_schedules, next_runs
from stewardd.app.telling import start_telling
from stewardd.app.verification import build_verification
from stewardd.backup.backups import Backups
from stewardd.backup.copying.operation import BackupCopying, BackupImporting
from stewardd.backup.creation import BackupCreation
from stewardd.backup.keys.keyring import KeyOptions, Keyring, open_keyring
from stewardd.backup.manifest.backup import Compression, CompressionMethod, DumpForm, ProofMode
from stewardd.backup.newest import NewestBackups
from stewardd.backup.options import BackupOptions
from stewardd.backup.outcomes import BackupOutcomes
from stewardd.backup.prune_operation import PruneOperation
from stewardd.backup.reencryption.operation import ReencryptOperation
from stewardd.config.backup import BackupSettings
from stewardd.health import probes
from stewardd.health.monitor import Probe
from stewardd.operations.kinds import CREATE_BACKUP, RUN_DRILL, VERIFY_BACKUP
from stewardd.operations.operations import Operations
from stewardd.operations.state import OperationState
from stewardd.postgres.databases import Databases
from stewardd.postgres.scratch import ScratchServers
from stewardd.rpc.backup.servicer import BackupServicer
from stewardd.telemetry import logger

log = logger("app")

KEYS_FOLDER = "keys"
COMPONENT = "backup"
PROBE_INTERVAL_S = 10.0
PROBE_TIMEOUT_S = 10.0


async def build_backups(
    assembly: Assembly,
    repository: Repository,
    databases: Databases,
    operations: Operations,
    copying: Copying,
    scratch_servers: ScratchServers,
) -> Backups:
    """Adds the service, and a probe a database of its newest backup and of failures after it; returns the backups."""
    keyring = await _keyring(assembly)
    targets = databases.direct_targets
    backups = Backups(repository.store, repository.lease, targets, keyring, _options(assembly))
    outcomes = BackupOutcomes(operations, targets)
    newest = NewestBackups(backups, targets)
    retention = build_retention(
        assembly, repository, backups.database_named, copying.second, keyring
    )
    watch_copies(assembly, copying, targets, retention.retentions)
    proving = build_verification(
        assembly,
        repository,
        operations,
        retention,
        keyring,
        scratch_servers,
        targets,
    )
    start_telling(assembly, repository, operations)
    limits = _limits(assembly, retention, targets)
    _add_probes(
        assembly,
        operations,
        {
            name: probes.backup(
                name, backups, newest, outcomes.failures, own, proving.overviews.look
            )
            for name, own in limits.items()
        },
        [outcomes.expire, proving.overviews.expire],
    )
    creation = BackupCreation(operations, backups)
    runner = build_schedules(assembly, repository, operations, creation, retention.pruning)
    count_failure = assembly.metrics.add_backups(
        backups, newest, outcomes, lambda: next_runs(runner.known(), repository.lease.now())
    )
    operations.on_end(count_failure)
    assembly.metrics.add_proofs(proving.overviews, proving.book)
    imports = build_imports(assembly, repository, keyring, copying.second)
    assembly.servicers.append(
        BackupServicer(
            creation,
            BackupCopying(operations, copying.copies),
            BackupImporting(operations, imports),
            retention.listings,
            retention.deletion,
            retention.retentions,
            PruneOperation(operations, retention.retentions),
            ReencryptOperation(operations, build_reencryption(repository, keyring, retention)),
            proving.verification,
            proving.drills,
            proving.book,
            build_restores(assembly, repository, databases, operations, keyring, copying.second),
            backups.keyring,
        )
    )
    return backups


def _limits(
    assembly: Assembly, retention: Retention, databases: Iterable[str]
) -> dict[str, probes.BackupLimits]:
    verified_age = timedelta(seconds=assembly.settings.backup.verification.max_age_s)
    return {
        name: probes.BackupLimits(retention.policy_of(name).window, verified_age)
        for name in databases
    }


def _add_probes(
    assembly: Assembly,
    operations: Operations,
    looks: Mapping[str, probes.Look],
    expire: Sequence[Callable[[], None]],
) -> None:
    """Adds a component for each database: one has `backup`, several have `backup/{name}`, as they have `database`."""
    components = {each: COMPONENT if len(looks) == 1 else f"{COMPONENT}/{each}" for each in looks}

    async def tell_health(state: OperationState) -> None:
        """Lets Health know at once how a backup of this daemon ended, or its trial."""
        if state.kind in (CREATE_BACKUP.name, VERIFY_BACKUP.name, RUN_DRILL.name):
            for each in expire:
                each()
            for component in components.values():
                await assembly.monitor.look_now(component)

    operations.on_end(tell_health)
    for name, look in looks.items():
        assembly.monitor.add(Probe(components[name], look, PROBE_INTERVAL_S, PROBE_TIMEOUT_S))


async def _keyring(assembly: Assembly) -> Keyring:
    settings = assembly.settings.backup
    keyring = await asyncio.to_thread(
        open_keyring,
        KeyOptions(
            folder=assembly.settings.data_dir / KEYS_FOLDER,
            encrypted=settings.encryption == "age",
            recipients=settings.recipients,
            identity_files=settings.identity_files,
            signing_key_file=settings.signing_key_file,
            trusted_signers=settings.trusted_signers,
        ),
    )
    if keyring.own_identity is not None and keyring.own_identity[0] in keyring.recipients:
        log.warning(
            "backups are encrypted to a key that exists nowhere else; keep a copy of it elsewhere",
            file=str(keyring.own_identity[1]),
        )
    return keyring


def _compression(settings: BackupSettings) -> Compression:
    method = CompressionMethod(settings.compression)
    return Compression(
        method, 0 if method is CompressionMethod.NONE else settings.compression_level
    )


def _options(assembly: Assembly) -> BackupOptions:
    settings = assembly.settings
    return BackupOptions(
        store_url=settings.repository_url,
        store_options=assembly.store_options,
        tools_dir=settings.postgres.tools_dir,
        segment_bytes=settings.backup.segment_bytes,
        compression=_compression(settings.backup),
        staging_dir=assembly.scratch,
        form=None if settings.backup.form == "auto" else DumpForm(settings.backup.form),
        jobs=settings.backup.jobs or max(1, (os.cpu_count() or 1) // 2),
        proof=ProofMode(settings.backup.proof),
        with_globals=settings.backup.globals,
        lock_timeout_s=settings.backup.lock_timeout_s,
        max_duration_s=settings.backup.max_duration_s,
        max_bytes_per_second=settings.backup.max_bytes_per_second,
        niceness=settings.backup.niceness,
    )
