"""A migration is proven by being tried; one that does not come back, or loses values, is told by name."""

from __future__ import annotations

import re

import pytest
from stewardd.migrations.files import read_set
from stewardd.migrations.migrations import PLATFORM
from stewardd.migrations.proof import COULD_NOT_PROVE, FAILED, PROVEN, MigrationProofs
from stewardd.migrations.proving import MigrationProver
from stewardd.postgres.scratch import ScratchServers
from stewardd.repository.backend.folder.store import FolderStore

from tests.support.versions import NEWEST, both_majors

TABLE = "CREATE TABLE t (id int PRIMARY KEY, a int NOT NULL, name text);"
VERIFY = "-- steward: after up\nSELECT to_regclass('t') IS NOT NULL AS t_is_there;\n"


@pytest.fixture
def proofs(folder) -> MigrationProofs:
    return MigrationProofs(FolderStore(folder / "repository"))


@pytest.fixture
def prove(folder, proofs):
    async def proved(where, major: int = NEWEST):
        prover = MigrationProver(ScratchServers(folder), proofs)
        return await prover.prove("main", read_set(where), major, lambda _: None)

    return proved


@both_majors
async def test_the_platforms_migrations_are_proven_with_a_hundred_rows_a_table(
    prove, proofs, major
):
    found = await prove(PLATFORM, major)
    assert [(each.number, each.outcome, each.detail) for each in found] == [
        (number, PROVEN, "") for number in range(1, 6)
    ]
    assert [each.few_rows for each in found] == [()] * 5
    assert {each.rows for each in found} == {100}
    assert {each.server_version.partition(".")[0] for each in found} == {str(major)}
    own = {(loss.table, loss.is_own) for loss in found[3].losses}
    assert own == {
        (f"public.{name}_deduplication", True) for name in ("event", "webhook", "api_request")
    }
    migrations = read_set(PLATFORM).migrations
    assert await proofs.find_proven(migrations, major) == {1, 2, 3, 4, 5}
    assert await proofs.find_proven(migrations, major + 1) == set()


async def test_migrations_that_make_roles_are_proven(prove, files):
    """Roles belong to the server, and the trials with rows and without run at the same time."""
    files.add(
        "0001_a",
        f"CREATE ROLE reader_of_t; {TABLE} GRANT SELECT ON t TO reader_of_t;",
        "DROP TABLE t; DROP ROLE reader_of_t;",
        VERIFY,
    )
    guarded = "IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'writer_of_t') THEN CREATE ROLE writer_of_t; END IF;"
    files.add(
        "0002_b",
        f"DO $$ BEGIN {guarded} END $$; GRANT INSERT ON t TO writer_of_t;",
        "DROP OWNED BY writer_of_t; DROP ROLE writer_of_t;",
    )
    found = await prove(files.folder)
    assert [(each.outcome, each.detail) for each in found] == [(PROVEN, "")] * 2


async def test_a_proof_is_of_the_files_as_they_are_and_of_those_before(prove, proofs, files):
    files.add("0001_a", TABLE, "DROP TABLE t;", VERIFY)
    files.add("0002_b", "ALTER TABLE t ADD b int;", "ALTER TABLE t DROP b;")
    await prove(files.folder)
    assert await proofs.find_proven(read_set(files.folder).migrations, NEWEST) == {1, 2}
    files.add("0001_a", TABLE + "-- why", "DROP TABLE t;", VERIFY)
    assert await proofs.find_proven(read_set(files.folder).migrations, NEWEST) == set()


@pytest.mark.parametrize(
    ("up", "down", "said"),
    [
        ("ALTER TABLE t ADD b int;", "", "going down does not bring back .* column public.t.b is there"),
        ("ALTER TABLE t ADD b int;", "ALTER TABLE t DROP b; DROP TABLE u;",
         '0002_b.down.sql line 1: table "u" does not exist'),
        ("CREATE INDEX ON t (a);", "DROP INDEX t_a_idx; CREATE INDEX x ON t (name);", "index public.t.x is there"),
        ("ALTER TABLE t DROP name;", "ALTER TABLE t ADD name text;",
         r"loses what was there before: public.t.name: \d+ values"),
        ("UPDATE t SET a = 0;", "", "loses what was there before: public.t.a: .* values"),
        ("ALTER TABLE t ADD b int NOT NULL;", "ALTER TABLE t DROP b;", "not null violation"),
        ("CREATE UNIQUE INDEX ON t ((a % 2));", "DROP INDEX t_expr_idx;", "unique violation"),
        ("ALTER TABLE gone ADD b int;", "", '0002_b.up.sql line 1: relation "gone" does not exist'),
        ("CREATE SEQUENCE s;", "ALTER TABLE t ALTER a SET DEFAULT 1; DROP SEQUENCE s;",
         "column public.t.a: its default is 1"),
    ],
)  # fmt: skip
async def test_what_does_not_come_back_or_loses_values_is_told(prove, files, up, down, said):
    files.add("0001_a", TABLE, "DROP TABLE t;", VERIFY)
    files.add("0002_b", up, down)
    files.add("0003_c", "SELECT 1;")
    found = await prove(files.folder)
    assert [each.outcome for each in found] == [PROVEN, FAILED, COULD_NOT_PROVE]
    assert re.search(said, found[1].detail), found[1].detail
    assert found[2].detail == "it rests on 0002_b, which was not proven"


async def test_values_of_a_migrations_own_column_are_told_and_are_no_failure(prove, files):
    files.add("0001_a", TABLE, "DROP TABLE t;", VERIFY)
    files.add("0002_b", "ALTER TABLE t ADD b int;", "ALTER TABLE t DROP b;")
    second = (await prove(files.folder))[1]
    assert second.outcome == PROVEN
    (loss,) = second.losses
    assert (loss.table, loss.column, loss.is_own) == ("public.t", "b", True)
    assert loss.values > 50


@pytest.mark.parametrize(
    ("up", "said"),
    [
        ("CREATE EXTENSION no_such_thing;", "no_such_thing"),
        (
            "CREATE COLLATION own (provider = icu, locale = 'de');",
            "ICU is not supported in this build",
        ),
        ("CREATE TABLE x () TABLESPACE fast;", 'tablespace "fast" does not exist'),
    ],
)
async def test_what_the_scratch_server_lacks_is_neither_a_proof_nor_a_failure(
    prove, files, up, said
):
    files.add("0001_a", up)
    (found,) = await prove(files.folder)
    assert found.outcome == COULD_NOT_PROVE
    assert said in found.detail


async def test_a_newer_server_that_stands_in_proves_for_itself_alone(prove, proofs, files):
    files.add("0001_a", TABLE, "DROP TABLE t;", VERIFY)
    (found,) = await prove(files.folder, NEWEST - 1)
    assert found.outcome == COULD_NOT_PROVE
    assert found.detail.startswith(
        f"there is no PostgreSQL {NEWEST - 1} here; it holds on {NEWEST}."
    )
    migrations = read_set(files.folder).migrations
    assert await proofs.find_proven(migrations, NEWEST - 1) == set()
    assert await proofs.find_proven(migrations, NEWEST) == {1}


async def test_roles_are_made_up_and_types_keys_and_checks_are_honoured(prove, files):
    files.add(
        "0001_a",
        "CREATE TYPE colour AS ENUM ('red', 'blue'); CREATE DOMAIN share AS numeric CHECK (VALUE BETWEEN 0 AND 1);"
        "CREATE TABLE parent (id bigserial PRIMARY KEY, up bigint REFERENCES parent, c colour NOT NULL, s share,"
        " tags text[] NOT NULL, at timestamptz, span tstzrange, raw bytea, ip inet,"
        " doc jsonb, flag bit(3), e uuid UNIQUE);"
        "CREATE TABLE child (a int, b varchar(3), p bigint NOT NULL REFERENCES parent, low int, high int,"
        " PRIMARY KEY (a, b), CHECK (low < high), CHECK (b <> 'x'));"
        "CREATE TABLE parts (d date NOT NULL, v int) PARTITION BY RANGE (d);"
        "CREATE TABLE parts_2025 PARTITION OF parts FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');"
        'GRANT SELECT ON parent TO reporting, "Some One";',
        "DROP TABLE parts, child, parent; DROP TYPE colour; DROP DOMAIN share;",
    )
    (found,) = await prove(files.folder)
    assert (found.outcome, found.detail, found.few_rows) == (PROVEN, "", ())


async def test_a_table_that_takes_too_few_rows_is_told(prove, files):
    files.add("0001_a", "CREATE TABLE t (b boolean PRIMARY KEY);", "DROP TABLE t;", VERIFY)
    (found,) = await prove(files.folder)
    assert found.outcome == PROVEN
    assert found.few_rows[-1].startswith("public.t took ")
    assert "of 100 rows: unique violation" in found.few_rows[-1]


async def test_what_runs_outside_of_a_transaction_and_a_backfill_are_proven_too(prove, files):
    files.add("0001_a", TABLE, "DROP TABLE t;", VERIFY)
    files.add("0002_b", "-- steward: no-transaction\nCREATE INDEX CONCURRENTLY t_a ON t (a);",
              "-- steward: no-transaction\nDROP INDEX CONCURRENTLY t_a;")  # fmt: skip
    files.add("0003_c", "ALTER TABLE t ADD b int;", "ALTER TABLE t DROP b;")
    files.add(
        "0004_d",
        "-- steward: batch\nUPDATE t SET b = a WHERE id IN (SELECT id FROM t WHERE b IS NULL LIMIT 9);",
    )
    assert [each.outcome for each in await prove(files.folder)] == [PROVEN] * 4
