"""The platform's own migrations bring 19 tables up and down, on the oldest and the newest PostgreSQL alike."""

from __future__ import annotations

import psycopg
import pytest
from stewardd.errors import MigrationFailed
from stewardd.migrations.migrations import PLATFORM

from tests.support.versions import both_majors

TABLES = {
    *("users", "companies", "company_users", "program_enrollments", "external_id_mappings"),
    *("kintell_sessions", "learning_progress", "outcome_scores", "evidence_snippets"),
    *("metrics_company_period", "safety_flags"),
    *("buddy_matches", "buddy_events", "buddy_checkins", "buddy_feedback"),
    *("event_deduplication", "webhook_deduplication", "api_request_deduplication", "audit_logs"),
}
PII = {
    *("users.email", "users.first_name", "users.last_name", "kintell_sessions.feedback_text"),
    *("buddy_checkins.notes", "buddy_feedback.feedback_text", "evidence_snippets.snippet_text"),
    *("webhook_deduplication.payload", "api_request_deduplication.response_body"),
    *("audit_logs.before_state", "audit_logs.after_state", "audit_logs.actor_ip"),
}
MADE = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
UNCOMMENTED = """
SELECT c.relname || coalesce('.' || a.attname, '') FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid
AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
AND (obj_description(c.oid, 'pg_class') IS NULL OR col_description(c.oid, a.attnum) IS NULL)
"""
MARKED = """
SELECT c.relname || '.' || a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
WHERE c.relnamespace = 'public'::regnamespace AND col_description(c.oid, a.attnum) LIKE '[PII] %'
"""
UNINDEXED = """
SELECT conname FROM pg_constraint k WHERE contype = 'f' AND NOT EXISTS (
  SELECT FROM pg_index i WHERE i.indrelid = k.conrelid AND i.indkey[0] = k.conkey[1])
"""


@both_majors
async def test_nineteen_tables_come_and_go_one_version_at_a_time(make, major):
    database = make(PLATFORM)
    moved = await database.up()
    assert moved.version == 5
    assert [step.number for step in moved.steps] == [1, 2, 3, 4, 5]
    assert {name for (name,) in database.query(MADE)} == TABLES
    assert database.query(UNCOMMENTED) == []
    assert {name for (name,) in database.query(MARKED)} == PII
    assert database.query(UNINDEXED) == []
    assert (await database.status()).server_major == major
    for version in (4, 3, 2, 1, 0):
        assert (await database.down(version)).version == version
    assert database.query(MADE) == []
    assert (await database.up()).version == 5
    assert [
        count
        for (count,) in database.query(
            "SELECT count(*) FROM steward.migration_history GROUP BY action ORDER BY action"
        )
    ] == [10, 5]
    assert database.backups[0] == ("main", "before migrating up")


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("INSERT INTO users (email, role) VALUES ('a@b.c', 'king')", psycopg.errors.CheckViolation),
        ("INSERT INTO users (role) VALUES ('admin')", psycopg.errors.NotNullViolation),
        (
            "INSERT INTO outcome_scores (text_id, dimension, score) VALUES (gen_random_uuid(), 'belonging', 1.001)",
            psycopg.errors.CheckViolation,
        ),
        (
            "INSERT INTO company_users (company_id, user_id) VALUES (gen_random_uuid(), gen_random_uuid())",
            psycopg.errors.ForeignKeyViolation,
        ),
    ],
)
async def test_what_the_domain_forbids_is_refused(make, statement, error):
    database = make(PLATFORM)
    await database.up()
    with pytest.raises(error):
        database.query(statement)


async def test_defaults_are_the_servers(make):
    database = make(PLATFORM)
    await database.up()
    rows = database.query(
        "INSERT INTO safety_flags (content_id, content_type, flag_reason) "
        "VALUES (gen_random_uuid(), 'message', 'other')"
        " RETURNING id IS NOT NULL, requires_human_review, review_status, raised_at IS NOT NULL"
    )
    assert rows == [(True, False, "pending", True)]


async def test_the_rollback_of_0004_meets_no_dependency_and_leaves_users(make):
    database = make(PLATFORM)
    await database.up(4)
    database.query("INSERT INTO users (email, role) VALUES ('a@b.org', 'admin') RETURNING id")
    database.query(
        "INSERT INTO api_request_deduplication (idempotency_key, user_id, endpoint, method, expires_at)"
        " SELECT 'k', id, '/', 'POST', now() FROM users RETURNING id"
    )
    await database.down(3)
    left = {name for (name,) in database.query(MADE)}
    assert left & {name for name in TABLES if name.endswith("_deduplication")} == set()
    assert "users" in left


async def test_a_rollback_that_a_view_of_somebody_stands_against_leaves_everything(make):
    database = make(PLATFORM)
    await database.up(4)
    with psycopg.connect(database.target.conninfo, autocommit=True) as connection:
        connection.execute("CREATE VIEW recent AS SELECT * FROM webhook_deduplication")
    with pytest.raises(
        MigrationFailed, match="0004_deduplication down failed in statement 8"
    ) as caught:
        await database.down(3)
    assert caught.value.metadata["state"] == "before"
    assert (await database.status()).version == 4
    assert "api_request_deduplication" in {name for (name,) in database.query(MADE)}
