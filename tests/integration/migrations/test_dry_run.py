"""A dry run takes the locks of a migration on a scratch server, tells them, and changes nothing."""

from __future__ import annotations

import pytest
from stewardd.errors import MigrationNotReplayed
from stewardd.migrations.dry_run import DryRunner
from stewardd.migrations.files import Direction
from stewardd.postgres.scratch import ScratchServers

from tests.support.versions import both_majors

BASE = "CREATE TABLE t (id int PRIMARY KEY, a int, name text); CREATE TABLE u (id int);"
ALL, WRITES, NOTHING = (True, True), (False, True), (False, False)
# The statements of a migration, and of each what it takes of the tables: mode, whom it blocks, for how many statements
# it is held; then the tables that it writes anew, and those that it reads as a whole.
CASES = [
    ("ALTER TABLE t ADD COLUMN b int", [({"t": ("AccessExclusiveLock", ALL, 1)}, [], [])]),
    ("ALTER TABLE t ALTER a TYPE bigint", [({"t": ("AccessExclusiveLock", ALL, 1)}, ["t"], ["t"])]),
    ("CREATE INDEX t_name ON t (name)", [({"t": ("ShareLock", WRITES, 1)}, [], ["t"])]),
    ("-- steward: no-transaction\nCREATE INDEX CONCURRENTLY t_name2 ON t (name)",
     [({"t": ("ShareUpdateExclusiveLock", NOTHING, 1)}, [], [])]),
    ("-- steward: no-transaction\nVACUUM FULL u", [({"u": ("AccessExclusiveLock", ALL, 1)}, ["u"], [])]),
    ("-- steward: batch\nUPDATE t SET a = 1 WHERE a IS NULL", [({"t": ("RowExclusiveLock", NOTHING, 1)}, [], [])]),
    ("ALTER TABLE u ADD CONSTRAINT u_t FOREIGN KEY (id) REFERENCES t NOT VALID",
     [({"t": ("ShareRowExclusiveLock", WRITES, 1), "u": ("ShareRowExclusiveLock", WRITES, 1)}, [], [])]),
    ("ALTER TABLE t ADD COLUMN r float DEFAULT random()", [({"t": ("AccessExclusiveLock", ALL, 1)}, ["t"], ["t"])]),
    ("ALTER TABLE t ADD COLUMN c int; CREATE TABLE fresh (id int); ALTER TABLE fresh ADD x int",
     [({"t": ("AccessExclusiveLock", ALL, 3)}, [], []), ({}, [], []), ({}, [], [])]),
    ("ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0)", [({"t": ("AccessExclusiveLock", ALL, 1)}, [], ["t"])]),
    ("ALTER TABLE t ADD CONSTRAINT k2 CHECK (a > 1) NOT VALID", [({"t": ("AccessExclusiveLock", ALL, 1)}, [], [])]),
    ("ALTER TABLE t VALIDATE CONSTRAINT k2", [({"t": ("ShareUpdateExclusiveLock", NOTHING, 1)}, [], ["t"])]),
    ("TRUNCATE u", [({"u": ("AccessExclusiveLock", ALL, 1)}, [], [])]),
    ("CREATE ROLE reader_of_t; GRANT SELECT ON t TO reader_of_t", [({}, [], []), ({}, [], [])]),
]  # fmt: skip


@both_majors
async def test_every_statement_tells_its_locks_what_it_rewrites_and_what_it_reads(
    make, files, folder, major
):
    files.add("0001_base", BASE)
    for number, (up, _) in enumerate(CASES, 2):
        files.add(f"{number:04}_case", up)
    database = make()
    await database.up(1)
    runner = DryRunner(database.migrations, ScratchServers(folder))
    reports: list[object] = []
    result = await runner.move("main", Direction.UP, None, reports.append)
    assert result.dry_run
    assert (result.version, len(result.steps), len(reports)) == (1, len(CASES), len(CASES) + 2)
    for (up, wanted), step in zip(CASES, result.steps, strict=True):
        found = [
            (
                {
                    lock.relation: (lock.mode, (lock.blocks_reads, lock.blocks_writes), lock.held_statements)
                    for lock in statement.locks
                    if lock.relation in ("t", "u", "fresh") and lock.mode != "AccessShareLock"
                },
                list(statement.rewrites),
                list(statement.scans),
            )
            for statement in step.statements
        ]  # fmt: skip
        assert found == wanted, up
    assert (await database.status()).version == 1
    assert database.query("SELECT count(*) FROM pg_class WHERE relname = 'fresh'") == [(0,)]
    assert database.backups == [("main", "before migrating up")]


async def test_a_migration_that_cannot_be_tried_is_named(make, files, folder):
    files.add("0001_base", BASE)
    files.add("0002_gone", "ALTER TABLE gone ADD x int")
    runner = DryRunner(make().migrations, ScratchServers(folder))
    with pytest.raises(
        MigrationNotReplayed, match=r'0002_gone up .* relation "gone" does not exist'
    ):
        await runner.move("main", Direction.UP, None, lambda _: None)
