"""Linting finds what keeps others waiting or breaks them, in bodies too, and what only a trial shows."""

from __future__ import annotations

from stewardd.migrations.lint.linter import MigrationLinter
from stewardd.migrations.migrations import PLATFORM
from stewardd.postgres.scratch import ScratchServers

VERIFY = "-- steward: after up\nSELECT to_regclass('{table}') IS NOT NULL AS it_is_there;\n"
DO_BLOCK = """CREATE TABLE third (id bigint);
DO $$
BEGIN
  IF true THEN
    ALTER TABLE people ALTER COLUMN n TYPE bigint;
  END IF;
END $$;
"""
FUNCTION = """CREATE TABLE fourth (id bigint);
CREATE FUNCTION build() RETURNS void LANGUAGE plpgsql AS $f$
BEGIN
  EXECUTE format('CREATE INDEX %I ON people (m)', 'x');
END $f$;
"""
SET = [
    ("CREATE TABLE people (id bigint PRIMARY KEY, n int, m int); CREATE TABLE keep (id bigint);",
     "DROP TABLE people, keep;", "people", []),
    ("ALTER TABLE people ADD COLUMN domain text;\nCREATE INDEX people_d ON people (domain);",
     "ALTER TABLE people DROP COLUMN domain;", "people_d", [("up", 2, "require-concurrent-index-creation")]),
    (DO_BLOCK,
     "DROP TABLE third; ALTER TABLE people ALTER COLUMN n TYPE int;", "third",
     [("up", 2, "rewrites-table"), ("up", 5, "changing-column-type"), ("down", 1, "changing-column-type")]),
    (FUNCTION,
     "DROP FUNCTION build(); DROP TABLE fourth;", "fourth", [("up", 4, "require-concurrent-index-creation")]),
    ("ALTER TABLE people RENAME TO persons;", "ALTER TABLE persons RENAME TO people;", "persons",
     [("up", 1, "rename-without-view")]),
    ("ALTER TABLE persons RENAME TO humans;\nCREATE VIEW persons AS SELECT * FROM humans;",
     "DROP VIEW persons; ALTER TABLE humans RENAME TO persons;", "humans", []),
    ("CREATE TABLE seventh (id bigint);", "DROP TABLE seventh;\nDROP TABLE keep;", "seventh",
     [("down", 1, "down-drops-more"), ("down", 1, "down-drops-more")]),
    ("CREATE TABLE eighth (id bigint);", "DROP TABLE eighth;", "humans",
     [("verify", 2, "verify-tests-nothing")]),
    ("ALTER TABLE nowhere ADD COLUMN x bigint;", "", "ninth", [("up", 1, "does-not-run")]),
    ("CREATE TABLE tenth (id bigint);", "DROP TABLE tenth;", "tenth", []),
]  # fmt: skip


async def test_every_finding_stands_at_its_line_and_says_how_to_do_it_otherwise(
    make, files, folder
):
    for number, (up, down, table, _) in enumerate(SET, 1):
        files.add(f"{number:04}_m", up, down, VERIFY.format(table=table))
    linter = MigrationLinter(make().migrations, ScratchServers(folder), ["prefer-bigint-over-int"])
    reports: list[object] = []
    found = await linter.lint("main", 0, [], reports.append)
    for number, (_, _, _, wanted) in enumerate(SET, 1):
        label = f"{number:04}_m"
        told = [
            (each.file_name.split(".")[1], each.line, each.rule)
            for each in found.findings
            if each.migration == label
        ]
        assert sorted(told) == sorted(wanted), label
    assert found.tried == 8
    assert found.finding_count == len(found.findings)
    assert all(each.advice for each in found.findings)
    assert found.linter.startswith("squawk 2.")
    assert found.server_version.startswith("18.")
    assert len(reports) == 10


async def test_the_platforms_migrations_only_drop_indexes_on_the_way_down(make, folder):
    excluded = ["prefer-text-field", "prefer-bigint-over-int"]
    linter = MigrationLinter(make(PLATFORM).migrations, ScratchServers(folder), excluded)
    found = await linter.lint("main", 0, [], lambda _: None)
    assert found.tried == 5
    assert {each.rule for each in found.findings} == {"require-concurrent-index-deletion"}
    assert {each.migration for each in found.findings} == {"0004_deduplication"}
    again = await linter.lint("main", 0, ["require-concurrent-index-deletion"], lambda _: None)
    assert again.findings == ()
