"""A server that is older than the embedded one: the oldest that is supported, where the machine has its programs."""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from stewardd.backup.asked import BackupAsked
from stewardd.backup.backups import Backups
from stewardd.backup.dump_files.found_file import DumpFileFinder
from stewardd.backup.dump_files.places import DumpPlaces, DumpRoot
from stewardd.backup.manifest.backup import DumpForm
from stewardd.backup.options import BackupOptions
from stewardd.backup.reading.dump import read_dump
from stewardd.backup.restoring.found_backup import BackupFinder
from stewardd.backup.restoring.request import RestoreMode, RestoreRequest
from stewardd.backup.restoring.restores import Restores, RestoreSettings
from stewardd.backup.restoring.unfinished import UnfinishedRestores
from stewardd.backup.worker.psql_session import psql_sessions
from stewardd.postgres.accounts import choose_account
from stewardd.postgres.binaries import wheel_folder
from stewardd.postgres.dump_catalog import TableName
from stewardd.postgres.pool import Pool
from stewardd.postgres.probe import probe
from stewardd.postgres.restored import read_restored
from stewardd.postgres.table_proof import METHOD
from stewardd.postgres.target import DatabaseTarget
from stewardd.repository.turns import Turns

from tests.integration.backup.conftest import Handle, socket_of, through
from tests.support.campaigns import FULL
from tests.support.postgres_front import Front, make_certificate
from tests.support.sql import run

SAME = """SELECT n AS id, repeat('Zoë ', n % 30) || n AS name, n / 7.0 AS share, 1e15::float8 / n AS part,
  timestamptz '2025-01-01 12:00+01' + n * interval '1 s 1 us' AS at, decode(md5(n::text), 'hex') AS bytes,
  CASE n % 3 WHEN 0 THEN jsonb_build_object('n', n) END AS body FROM generate_series(1, 90000) n"""
PROGRAMS = Path("/usr/lib/postgresql/15/bin")
pytestmark = pytest.mark.skipif(
    not (PROGRAMS / "initdb").exists(), reason="PostgreSQL 15 is not installed"
)


@pytest.fixture(scope="module")
def older(session_folder: Path) -> Iterator[DatabaseTarget]:
    account = choose_account(None)
    home = session_folder / "pg15"
    home.mkdir(mode=0o711)
    data, password = home / "data", secrets.token_hex(8)
    for folder in (data, home / "socket"):
        folder.mkdir(mode=0o700)
        if account.lent:
            os.chown(folder, account.uid, account.gid)
    password_file = home / "password"
    password_file.write_text(password)
    password_file.chmod(0o644)
    initdb = [
        str(PROGRAMS / "initdb"),
        "-D",
        str(data),
        "-U",
        "postgres",
        "-A",
        "scram-sha-256",
        "-N",
        "-E",
        "SQL_ASCII",  # text without an encoding, as old clusters have it
    ]
    status, output = account.run([*initdb, f"--pwfile={password_file}"], timeout_s=120)
    assert status == 0, output
    control = [str(PROGRAMS / "pg_ctl"), "-w", "-D", str(data)]
    settings = f"-c listen_addresses= -c fsync=off -k {home / 'socket'}"
    status, output = account.run(
        [*control, "start", "-l", str(data / "log"), "-o", settings], timeout_s=120
    )
    assert status == 0, output
    yield DatabaseTarget(
        "main", f"host={home / 'socket'} user=postgres dbname=postgres password={password}"
    )
    assert account.run([*control, "stop", "-m", "fast"], timeout_s=120)[0] == 0


async def test_it_is_probed_pooled_backed_up_and_read_back(older, store, lease, keyring):
    with psycopg.connect(older.conninfo) as connection:
        connection.execute("CREATE TABLE t AS SELECT n FROM generate_series(1, 1000) n")
    assert (await probe(older, 5)).major == 15
    pool = Pool(older)
    await pool.open()
    try:
        async with pool.connection() as connection:
            assert await (await connection.execute("SELECT count(*) FROM t")).fetchone() == (1000,)
    finally:
        await pool.close()
    backups = Backups(
        store,
        lease,
        {"main": older},
        keyring,
        BackupOptions(store_url=str(store.root), reserve_bytes=0),
    )
    asked = BackupAsked(form=DumpForm.CUSTOM)
    manifest = await backups.create("", "", Handle(), asked=asked)
    assert manifest.server_version.startswith("15.")
    assert int(manifest.tool_version.split(".")[0]) >= 15
    dump = b"".join([chunk async for chunk in read_dump(store, manifest, keyring.identities)])
    listing = await asyncio.create_subprocess_exec(
        str(PROGRAMS / "pg_restore"), "--list", stdin=-1, stdout=-1
    )
    output, _ = await listing.communicate(dump)
    assert b"TABLE DATA public t" in output


@pytest.mark.parametrize(
    ("folder_of_tools", "form"),
    [("15", "tar"), ("18", "plain"), *([("15", "plain"), ("18", "custom")] if FULL else [])],
)
async def test_dumps_that_its_own_or_a_newer_pg_dump_made_come_back(
    older, store, lease, folder, folder_of_tools, form
):
    """A pg_dump of 17 and later writes a setting that the server does not know."""
    wheel = wheel_folder()
    assert wheel is not None
    tools = PROGRAMS if folder_of_tools == "15" else wheel
    name = f"dumped_{secrets.token_hex(4)}"
    with psycopg.connect(older.conninfo, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    source = older.with_parameters(dbname=name)
    with psycopg.connect(source.conninfo) as connection:
        connection.execute("CREATE TABLE kept AS SELECT n FROM generate_series(1, 100) n")
        connection.execute("SELECT lo_from_bytea(7, '\\x0102')")
    conninfo, secret = source.for_child()
    subprocess.run(
        [tools / "pg_dump", f"--format={form}", f"--file={folder / 'dump'}", conninfo],
        env={**os.environ, **secret},
        check=True,
    )
    finder = DumpFileFinder(DumpPlaces([DumpRoot(str(folder))]))
    settings = RestoreSettings(staging_dir=folder, reserve_bytes=1 << 20)
    turns = Turns(store, lease, "restores")
    restores = Restores({"main": older}, finder, UnfinishedRestores(store), turns, settings)
    uri = (folder / "dump").as_uri()
    request = RestoreRequest(dump_uri=uri, accepts_unknown_signer=True, new_database=f"{name}_2")
    made = await restores.run(request, "", lambda _: None)
    assert made.dump_file is not None
    assert made.dump_file.encoding == "SQL_ASCII"
    with psycopg.connect(older.with_parameters(dbname=made.target).conninfo) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (100,)
        assert connection.execute("SELECT lo_get(7)").fetchone() == (b"\x01\x02",)


async def test_a_backup_that_newer_tools_made_is_restored_by_them(
    older, store, lease, folder, keyring
):
    wheel = wheel_folder()
    name = f"backed_up_{secrets.token_hex(4)}"
    with psycopg.connect(older.conninfo, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    source = older.with_parameters(dbname=name)
    with psycopg.connect(source.conninfo) as connection:
        connection.execute("CREATE TABLE kept AS SELECT n FROM generate_series(1, 100) n")
    options = BackupOptions(store_url=str(store.root), reserve_bytes=0, tools_dir=wheel)
    asked = BackupAsked(form=DumpForm.DIRECTORY)
    backups = Backups(store, lease, {"main": source}, keyring, options)
    manifest = await backups.create("", "", Handle(), asked=asked)
    assert manifest.tool_version.startswith("18.")
    finder = BackupFinder(store, str(store.root), {}, keyring, None, folder)
    settings = RestoreSettings(tools_dir=wheel, staging_dir=folder, reserve_bytes=1 << 20)
    turns = Turns(store, lease, "restores")
    restores = Restores({"main": source}, finder, UnfinishedRestores(store), turns, settings)
    made = await restores.run(RestoreRequest(manifest.backup_id), "", lambda _: None)
    assert (made.compared_tables, made.compared_rows) == (1, 100)


@pytest.mark.parametrize("verified", [False, True])
async def test_what_was_probed_by_tls_is_dumped_by_tls(
    older, store, lease, folder, verified, keyring
):
    certificate = make_certificate(folder)
    parameters = {"sslmode": "verify-full", "sslrootcert": str(certificate)} if verified else {}
    with Front([socket_of(older)], certificate=certificate) as front:
        target = through(older, front, **parameters)
        options = BackupOptions(store_url=str(store.root), reserve_bytes=0)
        made = await Backups(store, lease, {"main": target}, keyring, options).create(
            "", "", Handle()
        )
        assert made.server_version.startswith("15.")
        assert front.clear_count == 0
        assert front.tls_count >= 3  # the probe, the snapshot, pg_dump


@pytest.mark.parametrize("form", DumpForm)
async def test_a_backup_of_it_comes_back_on_it_in_every_way(
    older, store, lease, keyring, folder, form
):
    name = f"shop_{form.value}"
    live = older.with_parameters(dbname=name)
    run(older, f"CREATE DATABASE {name}")
    run(
        live,
        "CREATE TABLE t (n int PRIMARY KEY, word text)",
        "INSERT INTO t SELECT n, E'\\xff' || n FROM generate_series(1, 1000) n",
    )
    options = BackupOptions(store_url=str(store.root), reserve_bytes=0)
    backups = Backups(store, lease, {"main": live}, keyring, options)
    made = await backups.create("main", "", Handle(), asked=BackupAsked(form=form))
    finder = BackupFinder(store, str(store.root), {}, keyring, None, folder)
    restores = Restores(
        {"main": live},
        finder,
        UnfinishedRestores(store),
        Turns(store, lease, "restores"),
        RestoreSettings(staging_dir=folder, reserve_bytes=0),
    )
    asked = RestoreRequest(made.backup_id, database="main", jobs=2)
    for mode in RestoreMode:
        run(live, "DELETE FROM t WHERE n <= 10")
        request = replace(asked, mode=mode)
        confirm = name if request.replaces_live else ""
        restored = await restores.run(request, confirm, lambda _: None)
        assert (restored.compared_tables, restored.compared_rows) == (1, 1000), mode
        assert count(live.with_parameters(dbname=restored.target)) == 1000, mode
        before = restored.kept if mode is RestoreMode.SWAP else name
        if mode is not RestoreMode.IN_PLACE:
            assert count(live.with_parameters(dbname=before)) == 990, mode


async def test_the_same_rows_have_the_same_hash_on_every_major_version_and_for_every_reader(
    older, database
):
    """The older one has no encoding: its bytes are hashed as they are, in whatever way they come."""
    psql = psql_sessions(str(PROGRAMS / "psql"), "test")
    found = []
    for target, start in ((older, psql), (older, None), (database, psql)):
        run(target, "CREATE TABLE same AS " + SAME)
        name = TableName("public", "same")
        restored = await read_restored(
            target, [name], method=METHOD, jobs=1, start_session=start, on_table=lambda: None
        )
        found.append(restored.tables[name])
        run(target, "DROP TABLE same")
    assert found[0] == found[1] == found[2]
    assert (found[0].rows, found[0].hash is None) == (90_000, False)


def count(target: DatabaseTarget) -> object:
    with psycopg.connect(target.conninfo) as connection:
        row = connection.execute("SELECT count(*) FROM t").fetchone()
        return row and row[0]
