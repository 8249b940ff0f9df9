"""The sockets of the HTTP port: every address of a host that the machine has, on one port, or a named error."""

import socket

import pytest
from stewardd.errors import ConfigurationError
from stewardd.web.listening import bind, shown


def close(sockets):
    for each in sockets:
        each.close()


def resolve_to(monkeypatch, *addresses):
    """Lets every host have these addresses, as a resolver would say it."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, 0)) for each in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)


def test_addresses_that_the_machine_lacks_are_left_out_where_there_is_another(monkeypatch):
    """192.0.2.1 is of a network for documentation (RFC 5737), which no machine is in."""
    resolve_to(monkeypatch, "192.0.2.1", "127.0.0.1")
    bound = bind("somewhere:0")
    assert [each.rpartition(":")[0] for each in shown(bound)] == ["127.0.0.1"]
    close(bound)


def test_a_host_of_which_the_machine_has_no_address_is_named():
    with pytest.raises(ConfigurationError, match=r"'192\.0\.2\.1:0': cannot assign requested"):
        bind("192.0.2.1:0")


def test_what_was_bound_is_let_go_where_another_address_is_taken(monkeypatch):
    resolve_to(monkeypatch, "127.0.0.2", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match="address already in use"):
            bind(f"somewhere:{port}")
        socket.create_server(("127.0.0.2", port)).close()
