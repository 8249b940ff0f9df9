"""What a complaint of the server or of pg_dump comes to, and what its hint says to do."""

from __future__ import annotations

import pytest
from stewardd.errors import (
    DatabaseFull,
    DatabaseRefused,
    StorageFull,
    ToolFailed,
    ToolMissing,
)
from stewardd.postgres.causes import find_cause


@pytest.mark.parametrize(
    ("said", "error", "hint"),
    [
        ("ERROR:  permission denied for table later", DatabaseRefused, "GRANT SELECT ON TABLE later TO ana"),
        ("permission denied for view v", DatabaseRefused, "GRANT SELECT ON TABLE v TO ana"),
        ("permission denied for schema hr", DatabaseRefused, "GRANT USAGE ON SCHEMA hr TO ana"),
        ("permission denied for sequence s", DatabaseRefused, "GRANT SELECT ON SEQUENCE s TO ana"),
        ("permission denied for large object 16401", DatabaseRefused, "ON LARGE OBJECT 16401 TO ana"),
        ("permission denied for function f", DatabaseRefused, "GRANT EXECUTE ON FUNCTION f TO ana"),
        (
            'query would be affected by row-level security policy for table "notes"',
            DatabaseRefused,
            "ALTER ROLE ana BYPASSRLS",
        ),
        ("aborting because of server version mismatch", ToolMissing, "major version"),
        ('sslmode value "require" invalid when SSL support is not compiled in', ToolMissing, "TLS"),
        ('invalid connection option "oauth_scope"', ToolMissing, "older than that parameter"),
        ("unsupported startup parameter: options", DatabaseRefused, "pooler"),
        ('snapshot "00000003-1" does not exist', DatabaseRefused, "more than one server"),
        ('no pg_hba.conf entry for host "10.0.0.1"', DatabaseRefused, "pg_hba.conf"),
        ("FATAL:  sorry, too many clients already", DatabaseFull, "max_connections"),
        ('database "depot" does not exist', DatabaseRefused, "database's name"),
        ('password authentication failed for user "ana"', DatabaseRefused, "password"),
        ("could not write block: No space left on device", StorageFull, "database's server"),
        ("canceling statement due to lock timeout", ToolFailed, "lock"),
        ('could not obtain lock on relation "public.notes"', ToolFailed, "with one job"),
    ],
)  # fmt: skip
def test_a_complaint_has_its_class_and_what_to_do_about_it(said, error, hint):
    cause = find_cause(said, "ana")
    assert cause is not None
    assert cause.error is error
    assert hint in cause.hint


def test_a_user_whose_name_wants_quotes_gets_them():
    cause = find_cause("permission denied for table t", 'The "Keeper"')
    assert cause is not None
    assert 'TO "The ""Keeper"""' in cause.hint


def test_what_the_table_does_not_know_is_nobodys_cause():
    assert find_cause("pg_dump: error: something new", "ana") is None
