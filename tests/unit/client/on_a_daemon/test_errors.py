"""Every status becomes an exception that carries the server's reason, hint and facts."""

import re
import time

import pytest
from steward_client import Client, errors
from steward_client.connection.status import BY_CODE

from tests.support.call_proxy import bare, failing
from tests.unit.client.on_a_daemon.noted import NotedProxy


@pytest.mark.parametrize("code", sorted(BY_CODE))
def test_each_status_is_raised_as_its_class_with_all_that_the_server_said(server, client, code):
    fault = failing(code, "SOME_REASON", "the thing is off", "do this", "name", retry_after_s=0.01)
    server.fail("Health", *[fault] * 4)
    with pytest.raises(errors.StewardError) as caught:
        client.health()
    error = caught.value
    assert type(error) is BY_CODE[code]
    assert (error.code, error.reason, error.message, str(error)) == (
        code,
        "SOME_REASON",
        "the thing is off",
        "the thing is off",
    )
    assert error.hint == "do this"
    assert error.metadata == {"thing": "note"}
    assert error.retry_after_s == pytest.approx(0.01)
    assert error.field_violations == (errors.FieldViolation("name", "name is at fault"),)


def test_a_status_without_details_keeps_the_hint_of_its_class(server, client):
    server.fail("Health", bare("NOT_FOUND", "gone"))
    with pytest.raises(errors.NotFound) as caught:
        client.health()
    assert (caught.value.reason, caught.value.hint) == ("NOT_FOUND", errors.NotFound.hint)


def test_the_tree_in_the_docstring_is_the_tree():
    drawn = re.findall(r"[├└]── (\w+)", errors.__doc__ or "")
    there = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.StewardError)
    } - {"StewardError"}
    assert sorted(drawn) == sorted(there)


def test_no_daemon_is_told_at_once_with_the_address_and_how_to_start_one(tmp_path):
    with (
        Client(f"unix://{tmp_path}/nobody.sock") as client,
        pytest.raises(errors.Unreachable) as caught,
    ):
        client.validate_file(b"id\n1\n")
    assert f"unix://{tmp_path}/nobody.sock" in caught.value.message
    assert f"stewardd --listen unix://{tmp_path}/nobody.sock" in caught.value.hint


def test_a_deadline_that_passes_is_raised_as_such(server, client):
    server.fail("Health", lambda _call: time.sleep(1))
    with pytest.raises(errors.DeadlineExceeded):
        client.health(timeout_s=0.2)


def test_a_closed_client_says_so(server):
    client = Client(server.address)
    client.close()
    with pytest.raises((errors.Cancelled, ValueError)):
        client.health()


def test_with_credentials_the_channel_is_a_secure_one(shells, noted):
    import grpc

    with NotedProxy(noted, credentials=grpc.local_server_credentials()) as secure:
        client = shells(secure.address, credentials=grpc.local_channel_credentials())
        assert client.health().version
        assert client.validate_file(b"id\n1\n").total_rows == 1
