"""A right that is missing fails a backup by its name, and the hint is the GRANT that helps."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql
from stewardd.backup.backups import Backups
from stewardd.backup.options import BackupOptions
from stewardd.errors import DatabaseRefused, StewardError
from stewardd.postgres.target import DatabaseTarget

from tests.integration.backup.conftest import objects

TABLES = 60


@pytest.fixture
def reader(filled: DatabaseTarget) -> Iterator[DatabaseTarget]:
    """A role that may read every table of sixty, and no more."""
    role = f"reader_{secrets.token_hex(4)}"
    with psycopg.connect(filled.conninfo, autocommit=True) as admin:
        for number in range(TABLES):
            admin.execute(f"CREATE TABLE a_table_with_a_long_name_{number} (id int)")
        admin.execute(
            sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'password-of-reader'").format(
                sql.Identifier(role)
            )
        )
        admin.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
        admin.execute(f"GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}")
        yield filled.with_parameters(user=role, password="password-of-reader")
        admin.execute(f"DROP OWNED BY {role}")
        admin.execute(f"DROP ROLE {role}")


@pytest.mark.parametrize(
    ("statements", "named", "grant"),
    [
        (["CREATE TABLE made_later (id int)"], "table made_later", "GRANT SELECT ON TABLE made_later"),
        (["CREATE SCHEMA hr", "CREATE TABLE hr.pay (id int)"], "schema hr", "GRANT USAGE ON SCHEMA hr"),
        (["CREATE SEQUENCE later"], 'sequence "later"', "GRANT SELECT ON SEQUENCE later"),
        (["SELECT lo_create(4711)"], "large object 4711", "GRANT SELECT ON LARGE OBJECT 4711"),
        (
            ["ALTER TABLE people ENABLE ROW LEVEL SECURITY"],
            "row-level security policy for table",
            "BYPASSRLS",
        ),
    ],
)  # fmt: skip
async def test_a_missing_right_is_refused_with_what_to_grant(
    store, lease, options: BackupOptions, filled, reader, handle, statements, named, grant, keyring
):
    with psycopg.connect(filled.conninfo, autocommit=True) as admin:
        for statement in statements:
            admin.execute(statement)
        backups = Backups(store, lease, {"main": reader}, keyring, options)
        with pytest.raises(DatabaseRefused, match=re.escape(named)) as raised:
            await backups.create("main", "", handle)
        assert grant in raised.value.hint
        assert reader.user in raised.value.hint
        assert "password-of-reader" not in str(raised.value)
        assert objects(store) == []
        # And what the hint says helps.
        await _grant(admin, raised.value, reader.user)
        await backups.create("main", "", handle)


async def _grant(admin: psycopg.Connection, refusal: StewardError, role: str) -> None:
    (statement, *_) = re.findall(
        rf"GRANT [^:;,]* TO {role}|ALTER ROLE {role} BYPASSRLS", refusal.hint
    )
    admin.execute(statement)
