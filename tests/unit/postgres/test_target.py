"""A password goes in, and comes out nowhere but in a child's environment."""

from __future__ import annotations

import pytest
from stewardd.errors import ConfigurationError
from stewardd.postgres.target import DatabaseTarget

URL = "postgresql://ana:s3cr%40t@db.example:5433/csr?sslmode=require"


def test_neither_repr_nor_str_shows_the_password():
    target = DatabaseTarget("main", URL)
    assert "s3cr" not in f"{target!r} {target} {target.redacted}"
    assert "db.example" in target.redacted


def test_a_child_gets_the_password_by_its_environment_and_the_rest_by_argv():
    argv, environment = DatabaseTarget("main", URL).for_child()
    assert environment == {"PGPASSWORD": "s3cr@t"}
    assert "s3cr" not in argv
    assert "sslmode=require" in argv
    assert "host=db.example" in argv


def test_a_string_without_a_password_needs_no_environment():
    assert DatabaseTarget("main", "host=/run/pg dbname=csr").for_child()[1] == {}


@pytest.mark.parametrize("keyword", ["sslpassword", "scram_client_key"])
def test_a_secret_that_no_environment_carries_is_refused_and_not_put_on_argv(keyword):
    target = DatabaseTarget("main", f"host=x password=p {keyword}=hidden")
    assert "hidden" not in repr(target)
    with pytest.raises(ConfigurationError, match=keyword):
        target.for_child()


def test_a_string_that_cannot_be_parsed_is_refused_without_being_quoted():
    with pytest.raises(ConfigurationError) as raised:
        DatabaseTarget("main", "host=x password = 'hunter2")
    assert "hunter2" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None


def test_settings_are_added_to_those_that_the_string_makes_already():
    target = DatabaseTarget("main", "host=x options='-c geqo=off'").with_options(
        {"work_mem": "1 GB"}
    )
    assert target.for_child()[0].endswith(r"options='-c geqo=off -c work_mem=1\\ GB'")
