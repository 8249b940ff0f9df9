"""A database of twenty thousand tables is backed up, verified and restored; only `make test-full` does it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import psycopg
import pytest
from stewardd.backup.asked import BackupAsked
from stewardd.backup.backups import Backups
from stewardd.backup.manifest.backup import DumpForm
from stewardd.backup.proof import ProofState
from stewardd.backup.restoring.found_backup import BackupFinder
from stewardd.backup.restoring.request import RestoreRequest
from stewardd.backup.restoring.restores import Restores, RestoreSettings
from stewardd.backup.restoring.unfinished import UnfinishedRestores
from stewardd.backup.verifying.trial import BackupTrials, TrialOptions
from stewardd.postgres.scratch import ScratchServers
from stewardd.postgres.target import DatabaseTarget
from stewardd.repository.turns import Turns

from tests.integration.backup.conftest import Handle
from tests.support.campaigns import FULL
from tests.support.versions import NEWEST

TABLES = 20_000
AT_ONCE = 500
JOBS = {DumpForm.CUSTOM: 1, DumpForm.DIRECTORY: 2}


@pytest.mark.campaign
@pytest.mark.skipif(not FULL, reason="it takes minutes")
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("form", DumpForm)
async def test_a_database_of_many_tables_is_verified_and_restored(
    store, lease, keyring, options, folder, form
):
    home = folder / "servers"
    home.mkdir(mode=0o711)
    servers = ScratchServers(home)
    settings = {"wal_level": "replica", "max_locks_per_transaction": "1024"}
    async with servers.start(NEWEST, settings=settings) as server:
        source = await server.create_database("many")
        await asyncio.to_thread(
            fill, source
        )  # it takes a minute, in which the lease must be renewed
        targets = {"main": source}
        made = await Backups(store, lease, targets, keyring, options).create(
            "main", "", Handle(), asked=BackupAsked(form=form, jobs=JOBS[form])
        )
        trial_options = TrialOptions(str(store.root), staging_dir=folder / "staging", jobs=2)
        trials = BackupTrials(store, servers, keyring, trial_options, lambda: datetime.now(UTC))
        proof = await trials.run(made, lambda _: None)
        assert (proof.outcome, proof.detail) == (ProofState.VERIFIED, "")
        assert (proof.tables, proof.rows) == (TABLES, TABLES)
        restores = Restores(
            targets,
            BackupFinder(store, str(store.root), {}, keyring, None, folder),
            UnfinishedRestores(store),
            Turns(store, lease, "restores"),
            RestoreSettings(staging_dir=folder, reserve_bytes=0),
        )
        restored = await restores.run(
            RestoreRequest(made.backup_id, database="main"), "", lambda _: None
        )
        assert (restored.compared_tables, restored.compared_rows) == (TABLES, TABLES)
        print(
            f"{TABLES} tables as {form.value}: backup {made.elapsed_s} s, verification {proof.elapsed_s} s"
            f" (of which restore {proof.restore_s} s), restore {restored.elapsed_s} s"
        )


def fill(target: DatabaseTarget) -> None:
    with psycopg.connect(target.conninfo, autocommit=True) as connection:
        for start in range(0, TABLES, AT_ONCE):
            connection.execute(";".join(map(statements, range(start, start + AT_ONCE))))


def statements(number: int) -> str:
    return (
        f"CREATE TABLE t{number} (id int PRIMARY KEY, body text); "
        f"INSERT INTO t{number} VALUES ({number}, 'x')"
    )
