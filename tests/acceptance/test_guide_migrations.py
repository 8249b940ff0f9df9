"""docs/guides/migrations.md, executed as it stands there."""

from __future__ import annotations

import pytest

from tests.support.guides import Walk, command_lines

PAGE = "guides/migrations.md"


@pytest.fixture(scope="module")
def walked(session_folder):
    walk = Walk(session_folder / "guide-migrations")
    walk.folder.mkdir()
    walk.folder.chmod(0o711)
    try:
        yield walk.through(PAGE)
    finally:
        walk.close()


def test_what_is_not_proven_is_refused_and_then_applied(walked):
    first, *_ = [each for each in walked.finished if each.line.startswith("steward migrate up")]
    assert "MIGRATION_UNPROVEN" in first.stderr
    first_proof, second_proof = walked.output("steward migrate prove")
    assert "0001_people" in first_proof
    assert second_proof.count("proven") == 4
    last = walked.output("steward migrate status")[-1]
    assert "4 of 4, 0 to apply" in last


def test_the_set_lints_clean_and_a_dry_run_tells_its_statements(walked):
    (linted,) = walked.output("steward migrate lint")
    assert "no finding; 1 migration tried" in linted
    (tried,) = walked.output("steward migrate up --dry-run")
    assert "CREATE TABLE people" in tried
    assert "a dry run; nothing was changed" in tried


def test_what_the_migrations_made_has_not_drifted(walked):
    (said,) = walked.output("steward migrate drift")
    assert "no difference from 4 migrations" in said


def test_every_command_of_the_page_was_run(walked):
    on_the_page = command_lines(PAGE)
    assert [each.line for each in walked.finished] == on_the_page
    assert len(on_the_page) == 13
