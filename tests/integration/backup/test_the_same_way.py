"""A dump goes the way that the probe went: to the same server, encrypted or not, whatever the surroundings say."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from stewardd.backup.backups import Backups
from stewardd.backup.options import BackupOptions
from stewardd.backup.reading.dump import read_dump
from stewardd.errors import ConfigurationError, DatabaseRefused, ToolMissing
from stewardd.postgres.binaries import wheel_folder
from stewardd.postgres.embedded import EmbeddedOptions, EmbeddedServer
from stewardd.postgres.probe import probe
from stewardd.postgres.target import DatabaseTarget
from stewardd.postgres.tools import find_tools

from tests.integration.backup.conftest import socket_of, through
from tests.integration.conftest import FAST
from tests.support.postgres_front import Front, make_certificate


@pytest.fixture
def backups_of(store, lease, options: BackupOptions, keyring):
    def make(target: DatabaseTarget, **changes: object) -> Backups:
        return Backups(store, lease, {"main": target}, keyring, replace(options, **changes))  # type: ignore[arg-type]

    return make


@pytest.fixture
def certificate(folder: Path) -> Path:
    return make_certificate(folder)


async def test_the_way_of_a_probe_is_one_server_and_names_no_secret(filled):
    sight = await probe(filled, 5)
    way = conninfo_to_dict(sight.way.conninfo)
    assert way["host"] == conninfo_to_dict(filled.conninfo)["host"]
    assert (way["sslmode"], way["gssencmode"]) == ("disable", "disable")
    assert str(way["password"]) not in repr(sight)


async def test_a_probe_by_tls_leaves_no_way_in_the_clear(filled, certificate):
    with Front([socket_of(filled)], certificate=certificate) as front:
        sight = await probe(through(filled, front), 5)
        assert sight.tls
        assert conninfo_to_dict(sight.way.conninfo)["sslmode"] == "require"
        verified = through(filled, front, sslmode="verify-full", sslrootcert=str(certificate))
        way = conninfo_to_dict((await probe(verified, 5)).way.conninfo)
        assert (way["sslmode"], way["sslrootcert"]) == ("verify-full", str(certificate))
        assert front.clear_count == 0


@pytest.mark.parametrize("tls_only", [True, False])
async def test_tools_that_cannot_encrypt_do_not_dump_what_was_probed_by_tls(
    filled, certificate, backups_of, handle, tls_only
):
    with Front([socket_of(filled)], certificate=certificate, tls_only=tls_only) as front:
        with pytest.raises(ToolMissing, match="TLS"):
            target = through(filled, front)
            await backups_of(target, tools_dir=wheel_folder()).create("main", "", handle)
        assert front.clear_count == 0


async def test_a_pooler_that_refuses_options_is_dumped_through(
    filled, backups_of, handle, store, keyring
):
    with Front([socket_of(filled)], refused="options") as front:
        made = await backups_of(through(filled, front, sslmode="disable")).create(
            "main", "", handle
        )
        assert front.refused_count in (1, 2)  # the dump, and the schema that is read beside it
    dump = b"".join([chunk async for chunk in read_dump(store, made, keyring.identities)])
    assert dump.startswith(b"PGDMP")


async def test_options_of_the_url_that_a_pooler_refuses_are_said_to_be_so(
    filled, backups_of, handle
):
    with Front([socket_of(filled)], refused="options") as front:
        target = through(filled, front, sslmode="disable", options="-c geqo=off")
        with pytest.raises(DatabaseRefused, match="startup parameter") as raised:
            await backups_of(target).create("main", "", handle)
    assert "pooler" in raised.value.hint


@pytest.fixture
async def another_server(folder: Path) -> AsyncIterator[EmbeddedServer]:
    home = folder / "another"
    home.mkdir(mode=0o711)
    server = EmbeddedServer(home, EmbeddedOptions(settings=FAST))
    await server.start()
    yield server
    await server.stop()


def same_login(one: DatabaseTarget, another: EmbeddedServer) -> DatabaseTarget:
    """The other server's database, made to be entered as the first one's is."""
    parts = conninfo_to_dict(one.conninfo)
    target = another.target("other")
    with psycopg.connect(target.conninfo, autocommit=True) as admin:
        admin.execute(f"ALTER ROLE postgres PASSWORD '{parts['password']}'")
        admin.execute(f"CREATE DATABASE {parts['dbname']}")
    return target


async def test_an_address_that_leads_to_two_servers_is_refused_by_name(
    filled, another_server, backups_of, handle
):
    other = same_login(filled, another_server)
    with (
        Front([socket_of(filled), socket_of(other)]) as front,
        pytest.raises(DatabaseRefused, match="snapshot") as raised,
    ):
        await backups_of(through(filled, front, sslmode="disable")).create("main", "", handle)
    assert "more than one server" in raised.value.hint


async def test_of_several_hosts_the_one_that_was_probed_is_dumped(filled, handle, backups_of):
    with Front([socket_of(filled)]) as gone:
        pass
    with Front([socket_of(filled)]) as first, Front([socket_of(filled)]) as second:
        several = through(filled, first, sslmode="disable", load_balance_hosts="random")
        several = several.with_parameters(
            host="127.0.0.1,127.0.0.1,127.0.0.1", port=f"{gone.port},{first.port},{second.port}"
        )
        await backups_of(several).create("main", "", handle)
        # The probe and the snapshot, pg_dump with and without settings where it must be: all on one side.
        counts = sorted([first.clear_count, second.clear_count])
        assert counts[0] == 0
        assert counts[1] >= 3


async def test_a_service_file_a_passfile_and_variables_hold_for_probe_and_dump_alike(
    filled, folder, backups_of, handle, monkeypatch
):
    parts = conninfo_to_dict(filled.conninfo)
    passfile, service_file = folder / "passfile", folder / "services"
    passfile.write_text(f"*:*:*:*:{parts['password']}\n")
    passfile.chmod(0o600)
    service_file.write_text(f"[depot]\nhost={parts['host']}\ndbname={parts['dbname']}\n")
    for name, value in {
        "PGSERVICEFILE": str(service_file),
        "PGPASSFILE": str(passfile),
        "PGUSER": str(parts["user"]),
        "PGSSLMODE": "require",  # which means nothing for a socket
        "PGCLIENTENCODING": "LATIN1",
        "PGOPTIONS": "-c geqo=off",
        "PGTZ": "Asia/Tokyo",
    }.items():
        monkeypatch.setenv(name, value)
    made = await backups_of(DatabaseTarget("main", "service=depot")).create("main", "", handle)
    assert made.dump_size_bytes > 1_000_000


async def test_a_secret_that_cannot_be_handed_on_is_refused_by_its_name(
    filled, certificate, backups_of, handle
):
    with Front([socket_of(filled)]) as front:
        target = through(filled, front, sslmode="disable", oauth_client_secret="hidden-away")
        with pytest.raises(ConfigurationError, match="oauth_client_secret") as raised:
            await backups_of(target).create("main", "", handle)
    assert "hidden-away" not in str(raised.value)


async def test_tools_are_found_whatever_the_variables_of_libpq_say(monkeypatch):
    monkeypatch.setenv("PGSERVICE", "nobody-has-made-it")
    monkeypatch.setenv("PGSSLMODE", "nonsense")
    (wheel,) = await find_tools(wheel_folder())
    assert (wheel.has_tls, os.environ["PGSERVICE"]) == (False, "nobody-has-made-it")
