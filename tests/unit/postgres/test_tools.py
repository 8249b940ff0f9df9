"""Which client tools are taken for which server."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stewardd.errors import ToolMissing
from stewardd.postgres.binaries import parse_version, wheel_folder
from stewardd.postgres.tools import ClientTools, Origin, choose_tools, find_tools


def tools(major: int, origin: Origin) -> ClientTools:
    encrypts = origin is not Origin.WHEEL
    folder = Path(f"/opt/{origin.name}/{major}")
    return ClientTools(folder, major, f"{major}.1", origin, has_tls=encrypts, has_gss=encrypts)


def test_the_nearest_major_that_is_not_below_the_server_is_taken():
    found = [tools(15, Origin.PATH), tools(17, Origin.INSTALLED), tools(18, Origin.WHEEL)]
    assert choose_tools(16, found).major == 17


def test_the_wheel_comes_last_among_equals():
    found = [tools(18, Origin.WHEEL), tools(18, Origin.INSTALLED)]
    assert choose_tools(18, found).origin is Origin.INSTALLED


def test_the_wheel_serves_where_nothing_else_is_new_enough():
    assert (
        choose_tools(18, [tools(15, Origin.PATH), tools(18, Origin.WHEEL)]).origin is Origin.WHEEL
    )


def test_configured_tools_that_are_too_old_are_refused_and_not_passed_over():
    with pytest.raises(ToolMissing, match=r"15\.1 in /opt/CONFIGURED/15"):
        choose_tools(18, [tools(15, Origin.CONFIGURED), tools(18, Origin.WHEEL)])


def test_no_tools_at_all_say_so():
    with pytest.raises(ToolMissing, match="there is none"):
        choose_tools(18, [])


def test_tools_that_cannot_encrypt_are_no_candidates_for_an_encrypted_database():
    found = [tools(18, Origin.WHEEL), tools(19, Origin.PATH)]
    assert choose_tools(18, found).origin is Origin.WHEEL
    assert choose_tools(18, found, needs_tls=True).origin is Origin.PATH
    with pytest.raises(ToolMissing, match=r"that speak TLS.*no TLS") as raised:
        choose_tools(18, found[:1], needs_tls=True)
    assert "sslmode=disable" in raised.value.hint
    with pytest.raises(ToolMissing, match="that speak GSSAPI"):
        choose_tools(18, found[:1], needs_gss=True)


def test_psql_is_none_where_it_was_not_installed_beside_pg_dump():
    wheel = wheel_folder()
    assert wheel is not None
    assert ClientTools(wheel, 18, "18.1", Origin.WHEEL).psql == str(wheel / "psql")
    assert tools(18, Origin.PATH).psql is None


async def test_whether_tools_can_encrypt_is_asked_of_them_wherever_they_lie():
    wheel = wheel_folder()
    assert wheel is not None
    (found,) = await find_tools(wheel)
    assert (found.origin, found.has_tls, found.has_gss) == (Origin.CONFIGURED, False, False)
    assert found.limits == ("no TLS", "no GSSAPI")


async def test_tools_are_asked_once_and_again_when_they_are_others(tmp_path):
    asked = tmp_path / "asked"

    def install(version: str) -> None:
        for name in ("pg_dump", "pg_restore"):
            program = tmp_path / name
            program.write_text(
                f"#!/bin/sh\necho asked >> {asked}\necho '{name} (PostgreSQL) {version}'\n"
            )
            program.chmod(0o755)

    install("17.2")
    assert [each.version for each in await find_tools(tmp_path)] == ["17.2"]
    processes = len(asked.read_text().splitlines())
    assert [each.version for each in await find_tools(tmp_path)] == ["17.2"]
    assert len(asked.read_text().splitlines()) == processes
    install("18.10")
    assert [each.version for each in await find_tools(tmp_path)] == ["18.10"]


@given(
    st.integers(10, 20),
    st.lists(st.builds(tools, st.integers(10, 20), st.sampled_from(list(Origin)[1:]))),
)
def test_no_choice_is_older_than_the_server_nor_passes_a_nearer_one(server_major, found):
    fit = [one for one in found if one.major >= server_major]
    if not fit:
        with pytest.raises(ToolMissing):
            choose_tools(server_major, found)
        return
    chosen = choose_tools(server_major, found)
    assert chosen in fit
    assert chosen.major == min(one.major for one in fit)
    assert chosen.origin == min(one.origin for one in fit if one.major == chosen.major)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("pg_dump (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)", (15, "15.14")),
        ("postgres (PostgreSQL) 18.6", (18, "18.6")),
        ("pg_dump (PostgreSQL) 19beta1", (19, "19")),
        ("something else", None),
    ],
)
def test_a_version_is_read_off_what_a_program_prints(text, version):
    assert parse_version(text) == version
