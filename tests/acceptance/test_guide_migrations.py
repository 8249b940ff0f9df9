"""docs/guides/migrations.md, executed as it stands there."""

from __future__ import annotations

import pytest
from stewardd.postgres.binaries import wheel_folder

from tests.support.guides import Walk, command_lines

PAGE = "guides/migrations.md"
PSQL = "PGSERVICEFILE=data/pg_service.conf psql"


@pytest.fixture(scope="module")
def walked(session_folder):
    programs = wheel_folder()
    assert programs is not None
    walk = Walk(session_folder / "guide-migrations", path=(programs,))
    walk.folder.mkdir()
    walk.folder.chmod(0o711)
    try:
        yield walk.through(PAGE)
    finally:
        walk.close()


def test_what_is_not_proven_is_refused_and_then_applied(walked):
    first, *_ = [each for each in walked.finished if each.line.startswith("steward migrate up")]
    assert "MIGRATION_UNPROVEN" in first.stderr
    (first_proof, _) = walked.output("steward migrate prove")
    assert "0001_people" in first_proof
    last = walked.output("steward migrate status")[-1]
    assert "7 of 7, 0 to apply" in last


def test_the_set_lints_clean_and_a_dry_run_tells_its_statements(walked):
    (linted,) = walked.output("steward migrate lint")
    assert "no finding; 1 migration tried" in linted
    (tried,) = walked.output("steward migrate up --dry-run")
    assert "CREATE TABLE people" in tried
    assert "a dry run; nothing was changed" in tried


def test_all_phases_but_the_last_are_proven_and_the_last_one_is_forced(walked):
    (_, proof) = walked.output("steward migrate prove")
    rows = [line for line in proof.splitlines() if line.startswith("000")]
    assert [row.split()[0].partition("_")[0] for row in rows if " proven" in row] == [
        f"{number:04}" for number in range(1, 7)
    ]
    assert "active" in next(row for row in rows if row.startswith("0007"))
    refused = [each for each in walked.finished if "MIGRATION_UNPROVEN" in each.stderr]
    assert "0007_drop_active" in refused[-1].stderr
    (forced,) = walked.output("steward migrate up --force-unproven")
    assert "databases/embedded has 7 migrations" in forced


def test_the_services_meet_in_each_phase_a_table_that_they_can_use(walked):
    said = [each for each in walked.finished if each.line.startswith(PSQL)]
    refused = [each for each in said if each.stderr]
    assert [each.line.split("'")[1] for each in refused] == ["ed@example.org"]
    assert 'null value in column "state"' in refused[0].stderr
    rows = [line.split("|") for line in said[-1].stdout.splitlines() if "@" in line]
    assert [(state.strip(), names.split()) for state, names in rows] == [
        ("active", ["cy@example.org", "di@example.org", "ed@example.org"]),
        ("left", ["ana@example.org", "bo@example.org"]),
    ]


def test_what_the_migrations_made_has_not_drifted(walked):
    (said,) = walked.output("steward migrate drift")
    assert "no difference from 7 migrations" in said


def test_every_command_of_the_page_was_run(walked):
    on_the_page = command_lines(PAGE)
    assert [each.line for each in walked.finished] == on_the_page
    assert len(on_the_page) == 25
