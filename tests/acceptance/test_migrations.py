"""Migrations over gRPC and by the command: a real daemon on its embedded PostgreSQL, the platform's 19 tables."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import psycopg
import pytest
from steward_client import Client
from steward_client.errors import InvalidRequest, NotFound, StewardError
from steward_client.migrations.types import MigrationState, ProofOutcome

from tests.support.command import steward_of
from tests.support.daemon import Daemon


@pytest.fixture(scope="module")
def migrated(session_folder):
    """A daemon of its own: its database goes up and down."""
    with Daemon(session_folder / "migrated") as running:
        yield running


@pytest.fixture
def client(migrated):
    with Client(migrated.address) as made:
        yield made


def command(daemon: Daemon, *words: str) -> subprocess.CompletedProcess[str]:
    return steward_of(daemon, *words, STEWARD_ACTOR="ana")


def test_a_set_is_proven_applied_and_taken_back(migrated, client):
    status = client.get_migration_status("embedded")
    assert (status.version, status.latest_version, status.pending_count) == (0, 5, 5)
    assert status.requires_proof
    with pytest.raises(StewardError) as caught:
        client.apply_migrations("embedded").result()
    assert caught.value.reason == "MIGRATION_UNPROVEN"
    proved = client.prove_migrations("embedded").result()
    assert [each.outcome for each in proved.proofs] == [ProofOutcome.PROVEN] * 5
    assert {each.rows for each in proved.proofs} == {100}
    applied = client.apply_migrations("embedded", actor="ana").result()
    assert (applied.version, len(applied.steps)) == (5, 5)
    assert client.get_backup(applied.backup).description == "before migrating up"
    listed = list(client.list_migrations("embedded", page_size=2))
    assert [each.number for each in listed] == [1, 2, 3, 4, 5]
    assert {(each.state, each.proven, each.actor) for each in listed} == {
        (MigrationState.APPLIED, True, "ana")
    }
    back = client.roll_back_migrations("embedded", 3, skip_backup=True).result()
    assert (back.version, back.backup) == (3, "")
    assert [each.migration for each in back.steps] == ["0005_audit_logs", "0004_deduplication"]


def test_the_command_does_the_same(migrated):
    done = command(migrated, "migrate", "prove", "--output", "json")
    assert done.returncode == 0, done.stderr
    assert [each["outcome"] for each in json.loads(done.stdout)["proofs"]] == ["proven"] * 5
    done = command(migrated, "migrate", "up", "--no-backup")
    assert done.returncode == 0, done.stderr
    assert "databases/embedded has 5 migrations" in done.stdout
    done = command(migrated, "migrate", "status", "--all")
    assert done.returncode == 0, done.stderr
    assert "0004_deduplication" in done.stdout
    assert "5 of 5, 0 to apply" in done.stdout
    done = command(migrated, "migrate", "down", "--to", "0", "--no-backup", "--output", "json")
    assert json.loads(done.stdout)["version"] == 0
    done = command(migrated, "migrate", "baseline", "--to", "1")
    assert done.returncode == 3
    assert "has no migration 0001_people" in done.stderr


def test_a_dry_run_a_lint_and_a_diagram_come_through_the_command(migrated):
    done = command(migrated, "migrate", "up", "--to", "2", "--no-backup")
    assert done.returncode == 0, done.stderr  # the set was proven above
    done = command(migrated, "migrate", "down", "--to", "0", "--dry-run", "--output", "json")
    assert done.returncode == 0, done.stderr
    tried = json.loads(done.stdout)
    assert tried["dry_run"]
    locks = [
        lock for step in tried["steps"] for each in step["statements"] for lock in each["locks"]
    ]
    assert {lock["mode"] for lock in locks if lock["blocks_reads"]} == {"AccessExclusiveLock"}
    done = command(migrated, "migrate", "status", "--output", "json")
    assert json.loads(done.stdout)["version"] == tried["version"] == 2
    done = command(migrated, "migrate", "lint")
    assert done.returncode == 1, done.stderr
    assert "0004_deduplication.down.sql:" in done.stdout
    assert "(require-concurrent-index-deletion)" in done.stdout
    assert "5 migrations tried" in done.stdout
    done = command(migrated, "migrate", "lint", "--exclude", "require-concurrent-index-deletion")
    assert done.returncode == 0, done.stderr
    done = command(migrated, "schema", "diagram", "--mermaid")
    assert done.stdout.startswith("erDiagram\n")


def test_requests_that_cannot_be_right_are_refused_by_field(client):
    with pytest.raises(InvalidRequest) as caught:
        client.get_migration_status("a/b")
    assert caught.value.field_violations[0].field == "name"
    with pytest.raises(NotFound) as missing:
        client.apply_migrations("nowhere")
    assert missing.value.reason == "DATABASE_NOT_FOUND"
    with pytest.raises(InvalidRequest):
        client.roll_back_migrations("embedded", -1)
    with pytest.raises(NotFound):
        client.repair_migration("databases/embedded/migrations/0009_nothing")


def test_a_set_of_ones_own_is_a_folder_of_the_configuration(session_folder, folder, migrated):
    own = folder / "own"
    for name in ("nicknames", "drop_them"):
        done = command(migrated, "migrate", "new", name, "--dir", str(own))
        assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in own.iterdir())[:4] == [
        "0001_nicknames.down.sql",
        "0001_nicknames.up.sql",
        "0001_nicknames.verify.sql",
        "0002_drop_them.down.sql",
    ]
    (own / "0001_nicknames.up.sql").write_text("CREATE TABLE nicknames (name text PRIMARY KEY);")
    (own / "0001_nicknames.down.sql").write_text("DROP TABLE nicknames;")
    verify = "-- steward: after up\nSELECT to_regclass('nicknames') IS NOT NULL AS it_is_there;\n"
    (own / "0001_nicknames.verify.sql").write_text(verify)
    for path in own.glob("0002*"):
        path.unlink()
    settings = {"STEWARDD_MIGRATIONS__DIR": str(own), "STEWARDD_MIGRATIONS__REQUIRE_PROOF": "false"}
    with Daemon(folder / "own-daemon", environment=settings) as running:
        done = command(running, "migrate", "up", "--no-backup")
        assert done.returncode == 0, done.stderr
        service = folder / "own-daemon" / "pg_service.conf"
        with _connect(service) as connection:
            assert connection.execute("SELECT count(*) FROM nicknames").fetchone() == (0,)
        (own / "0001_nicknames.up.sql").write_text("CREATE TABLE nicknames (name text);")
        done = command(running, "migrate", "status")
        assert done.returncode == 1
        assert "changed" in done.stdout


def _connect(service_file: Path) -> psycopg.Connection:
    parts = [line for line in service_file.read_text().splitlines() if "=" in line]
    return psycopg.connect(" ".join(parts))
