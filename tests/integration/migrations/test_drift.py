"""What somebody changed behind the back of the migrations is found through the RPC, told by name, and can be mended."""

from __future__ import annotations

import difflib
import json
import os
import re
import subprocess
from pathlib import Path

import psycopg
import pytest
from steward_client import Client
from steward_client.errors import InvalidRequest, StewardError
from stewardd.migrations.migrations import PLATFORM

from tests.integration.migrations.test_catalogue import SCHEMA
from tests.support import planted_drift
from tests.support.command import steward_of
from tests.support.daemon import Daemon
from tests.support.versions import NEWEST, OLDEST, both_majors, needs_oldest

VERIFY = "-- steward: after up\nSELECT true AS it_is;\n"


class Served:
    """A daemon whose databases are on servers of each major: a planted one, one of every kind of object, 19 tables."""

    def __init__(self, folder: Path, servers) -> None:
        self.targets = {}
        settings = ["[migrations]", "require_proof = false", 'drift_ignore = ["public.ours_*"]']
        for kind, made in (
            ("planted", planted_drift.migration()),
            ("kinds", SCHEMA),
            ("platform", ""),
        ):
            files = folder / kind
            if made:
                _write(files, made)
            for major, server in servers.items():
                name = f"{kind}_{major}"
                _run(server.target("postgres"), f"CREATE DATABASE drift_{kind}")
                self.targets[name] = server.target(f"drift_{kind}")
                settings += [
                    f"[postgres.databases.{name}]",
                    f"url = {json.dumps(self.targets[name].conninfo)}",
                ]
                settings += [f"migrations_dir = {json.dumps(str(files if made else PLATFORM))}"]
        (folder / "steward.toml").write_text("\n".join(settings))
        self.daemon = Daemon(folder / "data", "--config", str(folder / "steward.toml"))


@pytest.fixture(scope="module")
def served(session_folder, servers_by_major):
    folder = session_folder / "drift"
    folder.mkdir(mode=0o711)
    made = Served(folder, servers_by_major)
    with made.daemon:
        yield made
    for kind in ("planted", "kinds", "platform"):
        for server in servers_by_major.values():
            _run(server.target("postgres"), f"DROP DATABASE drift_{kind} WITH (FORCE)")


@pytest.fixture
def client(served):
    with Client(served.daemon.address) as made:
        yield made


def _write(folder: Path, up: str) -> None:
    folder.mkdir()
    for part, text in (("up", up), ("down", ""), ("verify", VERIFY)):
        (folder / f"0001_all.{part}.sql").write_text(text)


def _run(target, *statements: str) -> None:
    with psycopg.connect(target.conninfo, autocommit=True) as connection:
        connection.execute("SET allow_system_table_mods = on")
        for statement in statements:
            connection.execute(statement)


def _dump(server, database: str) -> list[str]:
    argv, environment = server.target(database).for_child()
    dumped = subprocess.run(
        [str(server.programs / "pg_dump"), "--schema-only", "--exclude-schema=steward", "--dbname", argv],
        env={**os.environ, **environment}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [line for line in dumped.stdout.splitlines() if not line.startswith(("--", "\\"))]


def _found(drift) -> set[tuple[str, str, str]]:
    return {(each.kind, each.name, each.property) for each in drift.differences}


@both_majors
def test_every_planted_change_is_found_and_none_is_invented_and_the_script_mends_them(
    served, client, server, major
):
    name = f"planted_{major}"
    target = served.targets[name]
    client.apply_migrations(name, skip_backup=True).result()
    clean = _dump(server, "drift_planted")

    _run(target, *planted_drift.changes())
    drift = client.detect_drift(name).result()
    assert _found(drift) == planted_drift.told()
    assert drift.difference_count == len(planted_drift.told())
    assert len(planted_drift.CHANGES) >= 40
    changed = _dump(server, "drift_planted")
    lines = [line for line in difflib.ndiff(clean, changed) if line[0] in "+-"]
    seen = {int(number) for line in lines for number in re.findall(r"planted_(\d\d)", line)}
    # A column of a table is dumped without the table's name: the statement that it stands in has it.
    seen |= _statements_that_differ(clean, changed)
    assert seen == {number for number, each in planted_drift.numbered() if each.is_dumped}

    _run(target, *drift.script)
    after = client.detect_drift(name).result()
    left = {
        told
        for number, each in planted_drift.numbered()
        if not each.is_mended
        for told in [
            (k, n.replace("{p}", planted_drift.prefix(number)), w) for k, n, w in each.told
        ]
    }
    assert _found(after) == left
    assert _statements_that_differ(clean, _dump(server, "drift_planted")) == {
        number for number, each in planted_drift.numbered() if not each.is_mended
    }


def _statements_that_differ(one: list[str], other: list[str]) -> set[int]:
    """The numbers of the changes whose statements stand in only one of two dumps."""
    statements = [
        {" ".join(each.split()) for each in "\n".join(lines).split(";\n")} for lines in (one, other)
    ]
    return {
        int(number)
        for statement in statements[0] ^ statements[1]
        for number in re.findall(r"planted_(\d\d)", statement)
    }


@needs_oldest
@pytest.mark.parametrize("kind", ["platform", "kinds"])
def test_what_is_replayed_on_another_major_version_has_not_drifted(client, kind):
    name = f"{kind}_{OLDEST}"
    client.apply_migrations(name, skip_backup=True).result()
    drift = client.detect_drift(name, server_major=NEWEST).result()
    assert drift.differences == ()
    assert drift.server_version.startswith(f"{OLDEST}.")
    assert drift.scratch_version.startswith(f"{NEWEST}.")


def test_what_is_ignored_is_counted_and_not_told(served, client):
    name = f"platform_{NEWEST}"
    client.apply_migrations(name, skip_backup=True).result()
    _run(
        served.targets[name],
        "CREATE TABLE ours_2025 (id serial PRIMARY KEY)",
        "CREATE SCHEMA analytics",
        "CREATE TABLE analytics.facts (id int PRIMARY KEY)",
        "CREATE EXTENSION amcheck",
        "CREATE FUNCTION debug_it() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    )
    drift = client.detect_drift(name).result()
    assert {each.text for each in drift.differences} == {
        "schema analytics is there and should not be",
        "table analytics.facts is there and should not be",
        "extension amcheck is there and should not be",
        "function public.debug_it() is there and should not be",
    }
    assert drift.ignored_count == 2
    replays = len(served.daemon.events("scratch server started"))
    ignored = ["analytics", "extension amcheck", "function public.debug_*"]
    ended = _command(served, "migrate", "drift", name, *(f"--ignore={each}" for each in ignored))
    assert ended.returncode == 0, ended.stderr
    assert f"databases/{name}: no difference from 5 migrations, 6 ignored" in ended.stdout
    ended = _command(served, "migrate", "drift", name, "--output", "json", "--ignore=analytics")
    assert ended.returncode == 1, ended.stderr
    shown = json.loads(ended.stdout)
    assert (shown["difference_count"], shown["ignored_count"]) == (2, 4)
    assert shown["script"] == ["DROP ROUTINE public.debug_it()", "DROP EXTENSION amcheck"]
    assert (
        len(served.daemon.events("scratch server started")) == replays
    )  # the same files, replayed once


def test_a_look_that_cannot_be_right_is_refused(served, client, servers_by_major):
    with pytest.raises(InvalidRequest):
        client.detect_drift(f"kinds_{NEWEST}", ignore=[" "])
    with pytest.raises(InvalidRequest):
        client.detect_drift(f"kinds_{NEWEST}", server_major=-1)
    name = f"kinds_{NEWEST}"
    client.apply_migrations(name, skip_backup=True).result()
    file = served.daemon.data_dir.parent / "kinds" / "0001_all.up.sql"
    was = file.read_text()
    try:
        file.write_text(f"{was}\n-- edited")
        with pytest.raises(StewardError) as caught:
            client.detect_drift(name).result()
        assert caught.value.reason == "MIGRATION_CHANGED"
    finally:
        file.write_text(was)


def _command(served, *words: str) -> subprocess.CompletedProcess[str]:
    return steward_of(served.daemon, *words)
