"""Connection strings that libpq does not know or would misread, refused without a piece of their password."""

from __future__ import annotations

import pytest
from stewardd.errors import ConfigurationError
from stewardd.postgres.target import DatabaseTarget

SECRETS = ("rote", "kirsche")


def refusal(conninfo: str) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as raised:
        DatabaseTarget("main", conninfo)
    error = raised.value
    assert error.__context__ is None
    for secret in SECRETS:
        assert secret not in error.message + error.hint
    return error


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("postgresql://u:kirsche@h/d?schema=public", "'schema'"),
        ("postgresql://u:kirsche@h/d?sslmode=require&pgbouncer=true", "'pgbouncer'"),
        ("postgres://u:kirsche@h/d?connection_limit=5&pool_timeout=2", "'connection_limit', "),
        ("postgresql://u:kir?sche@h/d?schema=public", "'schema'"),
        ("postgresql+psycopg2://u:kirsche@h/d", "'postgresql+psycopg2'"),
        ("postgres+asyncpg://u:kirsche@h/d", "'postgres+asyncpg'"),
        ("jdbc:postgresql://h/d?user=u&password=kirsche", "'jdbc:postgresql'"),
        ("r2dbc:postgresql://u:kirsche@h/d", "'r2dbc:postgresql'"),
        ("PostgreSQL://u:kirsche@h/d", "'PostgreSQL'"),
        ("mysql://u:kirsche@h/d", "'mysql'"),
        ("host=h user=u schema=public password=kirsche", "'schema'"),
        ("host=h user=u password=kirsche schema=public", "'schema'"),
        ("postgresql://h/d?user=u&password=kirsche&currentSchema=x", "'currentSchema'"),
    ],
)
def test_what_libpq_does_not_know_is_named(url, named):
    assert named in refusal(url).message


def test_a_misspelt_parameter_is_put_right_and_not_advised_to_be_left_out():
    error = refusal("postgresql://u:kirsche@h/d?ssl_mode=require&schema=public")
    assert "write sslmode for ssl_mode" in error.hint
    assert "leave out schema" in error.hint


@pytest.mark.parametrize(
    "conninfo",
    [
        "postgresql://u:rote@kirsche@127.0.0.1:1/d",
        "postgresql://u:rote/kirsche@127.0.0.1:1/d",
        "postgresql://u:12/kirsche@127.0.0.1:1/d",
        "postgresql://u:12/rote?kirsche=1@127.0.0.1/d",
        "postgresql://u:ro@te/kirsche@h/d?schema=x",
        "postgresql://u:rote@kirsche?x=1@h/d",
        "postgresql://u:rote%kirsche@h/d",
        "postgresql://u:kirsche/d",
        "postgresql://u%3Akirsche@h/d",
        "postgresql://h/d?password=rote&kirsche=1",
        "u:kirsche@h/d",
        "u:kirsche@h/d?x=y",
        "host=h password=rote kirsche",
        "host=h password=rote kirsche=1 user=u",
        "host=h password='rote'kirsche=1' user=u",
        "host=h password='rote",
        "host=rote@kirsche user=u",
        "host=h port=kirsche user=u",
        "dbname=postgresql://u:kirsche@h/d",
        "dbname='host=h password=kirsche'",
    ],
)
def test_what_may_be_a_piece_of_a_password_is_named_nowhere(conninfo):
    assert refusal(conninfo).hint


@pytest.mark.parametrize(
    "conninfo",
    [
        "postgresql://",
        "postgresql:///d",
        "postgresql://u:p@h/d?ssl=true",
        "postgresql://u:r%40t%2Fe@[::1]:5432,h2:5433/d?target_session_attrs=any",
        "postgresql://u:ro:te#x?y&z@h/d",
        "postgresql://h/d?user=ana@server",
        "host=/run/postgresql user=u",
        "host=@abstract user=u",
        "host=a,b port=5432,5433 password='it\\'s a secret' options='-c geqo=off'",
        "",
    ],
)
def test_what_libpq_reads_as_it_is_meant_is_taken(conninfo):
    assert DatabaseTarget("main", conninfo).conninfo == conninfo


def test_a_host_or_a_port_that_the_environment_gives_is_looked_at_too(monkeypatch):
    for variable, value in (
        ("PGHOST", "u:rote@kirsche"),
        ("PGPORT", "kirsche"),
        ("PGDATABASE", "postgresql://u:kirsche@h/d"),
    ):
        with monkeypatch.context() as environment:
            environment.setenv(variable, value)
            refusal("user=u")
