"""Each form of a dump restores to the same values, and the proof read in its snapshot is that of the restore."""

from __future__ import annotations

import os
import secrets
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from stewardd.backup.asked import BackupAsked
from stewardd.backup.backups import Backups
from stewardd.backup.manifest.backup import (
    CompressionMethod,
    DumpForm,
    Globals,
    ProofMode,
    select,
)
from stewardd.backup.reading.contents import read_contents, read_globals
from stewardd.backup.reading.dump import read_dump
from stewardd.backup.reading.folder import read_folder
from stewardd.backup.reading.segment import unpacked_segment
from stewardd.errors import Corrupt, Exhausted, InvalidRequest, KeyUnknown, StorageFull
from stewardd.postgres.connect import connect
from stewardd.postgres.dump_catalog import TableName
from stewardd.postgres.embedded import EmbeddedOptions, EmbeddedServer
from stewardd.postgres.table_proof import METHOD, pin_settings, read_large_objects, read_table_proof
from stewardd.postgres.target import DatabaseTarget
from stewardd.postgres.tools import choose_tools, find_tools

from tests.integration.backup.conftest import ROWS, Handle, objects, processes
from tests.integration.conftest import FAST
from tests.support.campaigns import FULL

ODD_SCHEMA, ODD_TABLE = 'sch "e" % ä', "ta.b'l\"e % €"
ODD = """
CREATE TABLE kinds (n numeric, f double precision, r real, t timestamptz, d date, b bytea, j jsonb, a text[],
  i interval, u uuid, g int4range, s boolean, m money, x bit(3), "char" "char");
INSERT INTO kinds VALUES
  ('NaN', '-Infinity', 1.1, 'infinity', '0044-03-15 BC', '\\x00ff0a0d', '{"a": [1.50, null]}', '{a,NULL,"b,c"}',
   '1 year 2 days 00:00:00.000001', '01900000-0000-7000-8000-000000000000', '[1,5)', true, '12.34', B'101', 'c'),
  (123456789012345678901234567890.000000000100, 5e-324, 3.4e38, '0044-03-15 BC', NULL, '', 'null', '{}', NULL, NULL,
   'empty', NULL, NULL, NULL, NULL);
CREATE TABLE no_columns ();
INSERT INTO no_columns DEFAULT VALUES;
CREATE TABLE doubles AS SELECT 'same' AS word FROM generate_series(1, 3);
CREATE TABLE blanks (a text, b text);
INSERT INTO blanks VALUES (NULL, ''), ('', NULL);
CREATE TABLE made (id int GENERATED ALWAYS AS IDENTITY, twice int GENERATED ALWAYS AS (3 * 2) STORED);
INSERT INTO made DEFAULT VALUES;
CREATE TABLE parts (id int, day date) PARTITION BY RANGE (day);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
INSERT INTO parts SELECT n, date '2025-06-01' + n FROM generate_series(1, 400) n;
CREATE TABLE parent (id int);
CREATE TABLE child (extra text) INHERITS (parent);
INSERT INTO parent VALUES (1);
INSERT INTO child VALUES (2, 'x');
CREATE MATERIALIZED VIEW seen AS SELECT count(*) AS n FROM kinds;
CREATE UNLOGGED TABLE unlogged AS SELECT 1 AS n;
CREATE TABLE dropped (a int, b int, c int);
INSERT INTO dropped VALUES (1, 2, 3);
ALTER TABLE dropped DROP COLUMN b;
SELECT lo_from_bytea(4711, '\\xdeadbeef');
"""


@pytest.fixture
def odd(filled: DatabaseTarget) -> DatabaseTarget:
    """Values and tables of many kinds, and names that have to be quoted."""
    with psycopg.connect(filled.conninfo) as connection:
        connection.execute(ODD)
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(ODD_SCHEMA)))
        name = sql.Identifier(ODD_SCHEMA, ODD_TABLE)
        connection.execute(
            sql.SQL('CREATE TABLE {} ("ROW" int, "ä b" text, "per%cent" serial)').format(name)
        )
        connection.execute(sql.SQL("INSERT INTO {} VALUES (1, 'x'), (2, NULL)").format(name))
    return filled


@pytest.fixture
def scratch(database: DatabaseTarget) -> Iterator[DatabaseTarget]:
    name = sql.Identifier(f"scratch_{secrets.token_hex(6)}")
    with psycopg.connect(database.conninfo, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(name))
        yield database.with_parameters(dbname=name.as_string().strip('"'))
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


@pytest.fixture
def restored(store, keyring, folder: Path, scratch: DatabaseTarget):
    """Restores a backup of either form by pg_restore alone."""

    async def restore(manifest) -> DatabaseTarget:
        where = folder / f"restored-{manifest.backup_id}"
        if manifest.form is DumpForm.DIRECTORY:
            where.mkdir()
            contents = await read_contents(store, manifest, keyring.identities)
            await read_folder(store, manifest, contents, where, identities=keyring.identities)
        else:
            dump = read_dump(store, manifest, keyring.identities)
            where.write_bytes(b"".join([chunk async for chunk in dump]))
        tools = choose_tools(18, await find_tools(None))
        conninfo, environment = scratch.for_child()
        done = subprocess.run(
            [tools.program("pg_restore"), "--exit-on-error", f"--dbname={conninfo}", str(where)],
            env=environment,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return scratch

    return restore


@pytest.fixture
def proofs_of():
    """Reads the proofs of tables as the verification of a restore does."""

    async def read(target: DatabaseTarget, names: list[TableName]) -> dict[TableName, object]:
        connection = await connect(target, "test")
        try:
            await connection.execute("BEGIN")
            await pin_settings(connection)
            found: dict[TableName, object] = {
                name: await read_table_proof(connection, name, METHOD) for name in names
            }
            found[TableName("", "large objects")] = await read_large_objects(
                connection, hashed=True
            )
            return found
        finally:
            await connection.close()

    return read


DIRECTORY = BackupAsked(form=DumpForm.DIRECTORY, jobs=2)


@pytest.mark.parametrize("form", DumpForm)
async def test_a_restore_has_the_rows_and_hashes_that_were_read_in_the_snapshot(
    backups, store, keyring, odd, restored, proofs_of, form
):
    handle = Handle()
    manifest = await backups.create("main", "", handle, asked=BackupAsked(form=form))
    contents = await read_contents(store, manifest, keyring.identities)
    told = {TableName(each.schema, each.name): each for each in contents.tables}
    assert {each.name for each in told} == {
        "people", "notes", "empty", "kinds", "no_columns", "doubles", "blanks", "made", "parts_1", "parts_2",
        "parent", "child", "unlogged", "dropped", ODD_TABLE,
    }  # fmt: skip
    scratch = await restored(manifest)
    found = await proofs_of(scratch, list(told))
    objects_found = found.pop(TableName("", "large objects"))
    for name, proof in found.items():
        assert (proof.rows, proof.hash) == (told[name].rows, told[name].hash), name
        assert proof.hash is not None
    assert (objects_found.rows, objects_found.hash) == (
        contents.large_objects.count,
        contents.large_objects.hash,
    )
    assert told[TableName("public", "notes")].rows == ROWS
    assert manifest.contents.rows == sum(each.rows for each in contents.tables)
    assert manifest.contents.tables == len(told)
    assert handle.told[-1]["total_tables"] == len(told)
    if form is DumpForm.DIRECTORY:
        assert handle.told[-1]["dumped_tables"] == len(told)
    sequences = {each.name: (each.last_value, each.is_called) for each in contents.sequences}
    assert sequences["notes_id_seq"] == (ROWS, True)
    assert sequences["made_id_seq"] == (1, True)
    assert manifest.source.encoding == "UTF8"
    assert [each.name for each in manifest.source.extensions] == ["plpgsql"]
    again = await backups.create("main", "", Handle(), asked=BackupAsked(form=form))
    assert again.schema_sha256 == manifest.schema_sha256 != None  # noqa: E711  # the middle is meant


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        ("UPDATE blanks SET a = '' WHERE a IS NULL", {"blanks"}),
        ("DELETE FROM doubles WHERE ctid = '(0,1)'", {"doubles"}),
        ("UPDATE kinds SET f = 1e-323 WHERE f = 5e-324", {"kinds"}),
        ("INSERT INTO no_columns DEFAULT VALUES", {"no_columns"}),
        ("UPDATE child SET extra = 'y'", {"child"}),
        ("SELECT lo_put(4711, 0, '\\x00')", {"large objects"}),
        ("UPDATE notes SET body = body", set()),
        ("CLUSTER people USING people_pkey", set()),
    ],
)
async def test_a_proof_tells_a_changed_value_and_is_the_same_for_the_same_rows(
    odd, proofs_of, change, differs
):
    names = [
        TableName("public", each)
        for each in (
            "blanks",
            "doubles",
            "kinds",
            "no_columns",
            "parent",
            "child",
            "notes",
            "people",
        )
    ]
    before = await proofs_of(odd, names)
    with psycopg.connect(odd.conninfo) as connection:
        connection.execute(change)
    after = await proofs_of(odd, names)
    assert {name.name for name in before if before[name] != after[name]} == differs


async def test_a_segment_of_a_directory_dump_is_a_tar_archive_that_is_read_alone(
    backups, store, keyring, handle
):
    manifest = await backups.create("main", "", handle, asked=DIRECTORY)
    contents = await read_contents(store, manifest, keyring.identities)
    assert len(manifest.segments) > 3
    files: dict[str, bytes] = {}
    for segment in reversed(manifest.segments):
        plain = b"".join(
            [part async for part in unpacked_segment(store, manifest, segment, keyring.identities)]
        )
        with tarfile.open(fileobj=BytesIO(plain)) as archive:
            for member in archive:
                stream = archive.extractfile(member)
                assert stream is not None
                files[member.name] = stream.read()
    for file in contents.files:
        pieces = [files[name] for name in sorted(files) if name.startswith(f"{file.name}.0")]
        whole = b"".join(pieces) if pieces else files[file.name]
        assert len(whole) == file.size_bytes
    assert manifest.dump_size_bytes == sum(each.size_bytes for each in contents.files)


async def test_one_table_is_read_by_its_own_segments(backups, store, keyring, handle, folder):
    manifest = await backups.create("main", "", handle, asked=DIRECTORY)
    contents = await read_contents(store, manifest, keyring.identities)
    small = min(
        (each for each in contents.files if each.name != "toc.dat"),
        key=lambda each: each.size_bytes,
    )
    needed = {piece.segment for piece in small.pieces}
    for number, segment in enumerate(manifest.segments):
        if number not in needed:
            (path,) = Path(store.root).rglob(segment.name)
            path.unlink()
    await read_folder(
        store, manifest, contents, folder, identities=keyring.identities, names=[small.name]
    )
    assert (folder / small.name).stat().st_size == small.size_bytes
    with pytest.raises(Corrupt, match="is missing"):
        await read_folder(store, manifest, contents, folder, identities=keyring.identities)


async def test_nothing_is_left_where_a_dump_was_staged(with_options, folder):
    staging = folder / "staging"
    staging.mkdir()
    await with_options(staging_dir=staging).create("main", "", Handle(), asked=DIRECTORY)
    assert list(staging.iterdir()) == []
    with pytest.raises(StorageFull, match="staging the dump may need"):
        await with_options(staging_dir=staging, reserve_bytes=1 << 60).create(
            "main", "", Handle(), asked=DIRECTORY
        )
    assert list(staging.iterdir()) == []


@pytest.mark.parametrize("method", CompressionMethod)
@pytest.mark.parametrize("form", DumpForm)
async def test_every_compression_restores(backups, restored, method, form):
    asked = BackupAsked(form=form, compression=method, proof=ProofMode.COUNT)
    manifest = await backups.create("main", "", Handle(), asked=asked)
    assert manifest.compression.method is method
    scratch = await restored(manifest)
    with psycopg.connect(scratch.conninfo) as connection:
        assert connection.execute("SELECT count(*) FROM notes").fetchone() == (ROWS,)


SELECTIONS = [
    (select(schemas=(ODD_SCHEMA,)), {ODD_TABLE}),
    (select(tables=("public.parts",)), {"parts_1", "parts_2"}),
    (select(tables=("public.people", "public.parts_1")), {"people", "parts_1"}),
    (select(tables=("public.parent",), exclude_tables=("public.child",)), {"parent"}),
    (
        select(schemas=("public",), exclude_tables=("public.notes", "public.kinds", "public.parts")),
        {"people", "empty", "no_columns", "doubles", "blanks", "made", "parent", "child", "unlogged", "dropped"},
    ),
    (
        select(exclude_schemas=("public",)),
        {ODD_TABLE},
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("selection", "there", "form"),
    [
        (selection, there, form)
        for number, (selection, there) in enumerate(SELECTIONS)
        for form in (DumpForm if FULL else [tuple(DumpForm)[number % 2]])
    ],
)
async def test_a_selection_holds_what_it_names_and_nothing_else(
    backups, store, keyring, odd, restored, selection, there, form
):
    asked = BackupAsked(selection=selection, form=form)
    manifest = await backups.create("main", "", Handle(), asked=asked)
    contents = await read_contents(store, manifest, keyring.identities)
    assert {each.name for each in contents.tables} == there
    assert manifest.selection == selection
    if selection.schemas != ("public",):  # template0 has that schema
        scratch = await restored(manifest)
        with psycopg.connect(scratch.conninfo) as connection:
            rows = connection.execute(
                "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace::regnamespace::text"
                " NOT IN ('pg_catalog', 'information_schema')"
            ).fetchall()
        assert {row[0] for row in rows} == there


async def test_a_table_with_an_odd_name_is_chosen_by_it(backups, store, keyring, odd):
    name = (
        f'"{ODD_SCHEMA.replace(chr(34), chr(34) * 2)}"."{ODD_TABLE.replace(chr(34), chr(34) * 2)}"'
    )
    manifest = await backups.create(
        "main", "", Handle(), asked=BackupAsked(selection=select(tables=(name,)))
    )
    (table,) = (await read_contents(store, manifest, keyring.identities)).tables
    assert (table.schema, table.name, table.rows) == (ODD_SCHEMA, ODD_TABLE, 2)


@pytest.mark.parametrize(
    ("asked", "error", "says"),
    [
        (BackupAsked(jobs=2), InvalidRequest, "one stream"),
        (BackupAsked(jobs=-1), InvalidRequest, "jobs are"),
        (BackupAsked(form=DumpForm.DIRECTORY, jobs=65), InvalidRequest, "jobs are"),
        (BackupAsked(compression_level=20), InvalidRequest, "levels of zstd"),
        (
            BackupAsked(compression=CompressionMethod.NONE, compression_level=1),
            InvalidRequest,
            "no level",
        ),
        (BackupAsked(recipients=("age1x",)), KeyUnknown, "no recipient of age"),
        (BackupAsked(max_duration_s=1e9), InvalidRequest, "max_duration"),
        (BackupAsked(lock_timeout_s=0), InvalidRequest, "lock_timeout"),
        (BackupAsked(max_bytes_per_second=-1), InvalidRequest, "at least 65536"),
        (BackupAsked(max_bytes_per_second=65535), InvalidRequest, "at least 65536"),
        (BackupAsked(selection=select(tables=("people",))), InvalidRequest, "SCHEMA.TABLE"),
        (BackupAsked(selection=select(tables=('"a.b',))), InvalidRequest, "SCHEMA.TABLE"),
        (BackupAsked(selection=select(schemas=("",))), InvalidRequest, "without a name"),
        (BackupAsked(selection=select(schemas=("none",))), InvalidRequest, 'no schema "none"'),
        (
            BackupAsked(selection=select(tables=("public.none",))),
            InvalidRequest,
            'no table "public"."none"',
        ),
        (
            BackupAsked(selection=select(tables=("public.people",), exclude_schemas=("public",))),
            InvalidRequest,
            "leaves no table",
        ),
    ],
)
async def test_what_cannot_be_is_refused_before_anything_begins(backups, store, asked, error, says):
    handle = Handle()
    with pytest.raises(error, match=says):
        await backups.create("main", "", handle, asked=asked)
    assert all(each["dumped_bytes"] == 0 for each in handle.told)
    assert objects(store) == []
    assert processes("pg_dump") == []


async def test_long_tables_that_are_stored_while_they_are_written_come_back_whole(
    with_options, store, keyring, filled, restored, proofs_of
):
    with psycopg.connect(filled.conninfo, autocommit=True) as connection:
        for number in (1, 2):
            connection.execute(
                f"CREATE TABLE long_{number} AS SELECT n, md5(n::text) AS a, repeat(md5((-n)::text), 3) AS b"
                " FROM generate_series(1, 300000) n"
            )
        connection.execute("ANALYZE")
    backups = with_options(segment_bytes=32 << 20)  # compressed by several threads, as usual
    manifest = await backups.create("main", "", Handle(), asked=DIRECTORY)
    contents = await read_contents(store, manifest, keyring.identities)
    long = [each for each in contents.files if each.size_bytes > 32 << 20]
    assert len(long) == 2
    assert max(len(each.pieces) for each in long) > 1
    scratch = await restored(manifest)
    told = {TableName(each.schema, each.name): each.hash for each in contents.tables}
    found = await proofs_of(scratch, list(told))
    assert {name: getattr(found[name], "hash") for name in told} == told  # noqa: B009  # of any kind


@pytest.fixture
def cramped(folder: Path) -> Iterator[Path]:
    """A staging folder whose disk has no room for a database."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    small = folder / "cramped"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(small)]
    if subprocess.run(mount, check=False).returncode != 0:
        pytest.skip("no file system may be mounted here")
    yield small
    subprocess.run(["umount", str(small)], check=True)


async def test_a_dump_is_a_directory_where_its_disk_has_room_and_else_one_stream(
    store, keyring, filled, lease, options, restored, cramped
):
    unsaid = replace(options, form=None)
    roomy = Backups(store, lease, {"main": filled}, keyring, unsaid)
    assert (await roomy.create("main", "", Handle())).form is DumpForm.DIRECTORY
    unsaid = replace(unsaid, staging_dir=cramped)
    full = Backups(store, lease, {"main": filled}, keyring, unsaid)
    streamed = await full.create("main", "", Handle())
    assert streamed.form is DumpForm.CUSTOM
    scratch = await restored(streamed)
    with psycopg.connect(scratch.conninfo) as connection:
        assert connection.execute("SELECT count(*) FROM notes").fetchone() == (ROWS,)
    for asked in (BackupAsked(form=DumpForm.DIRECTORY), BackupAsked(jobs=2)):
        with pytest.raises(StorageFull, match="staging the dump"):
            await full.create("main", "", Handle(), asked=asked)
    assert list(cramped.iterdir()) == []


@pytest.mark.parametrize("superuser", [True, False])
async def test_roles_are_kept_with_their_passwords_only_where_they_may_be_read(
    store, keyring, filled, lease, options, superuser
):
    role = f"role {secrets.token_hex(4)} %'"
    name = sql.Identifier(role)
    with psycopg.connect(filled.conninfo, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'pass-word'").format(name))
        admin.execute(sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {}").format(name))
        admin.execute(sql.SQL("GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO {}").format(name))
        try:
            target = (
                filled if superuser else filled.with_parameters(user=role, password="pass-word")
            )
            made = Backups(store, lease, {"main": target}, keyring, options)
            manifest = await made.create("main", "", Handle())
        finally:
            admin.execute(sql.SQL("DROP OWNED BY {}").format(name))
            admin.execute(sql.SQL("DROP ROLE {}").format(name))
    text = (await read_globals(store, manifest, keyring.identities)).decode()
    assert role.replace('"', '""') in text
    assert ("SCRAM-SHA-256" in text) == superuser
    expected = Globals.COMPLETE if superuser else Globals.WITHOUT_PASSWORDS
    assert manifest.globals is expected


async def test_more_tables_than_the_server_can_lock_are_refused_with_the_setting(
    store, lease, keyring, options, folder
):
    home = folder / "server"
    home.mkdir(mode=0o711)
    little = {
        **FAST,
        "max_locks_per_transaction": "10",
        "max_connections": "12",
        "max_worker_processes": "1",
    }
    server = EmbeddedServer(home, EmbeddedOptions(settings=little))
    await server.start()
    try:
        target = server.target("main")
        with psycopg.connect(target.conninfo, autocommit=True) as connection:
            for start in range(0, 400, 20):
                connection.execute(
                    ";".join(
                        f"CREATE TABLE t{number} (id int)" for number in range(start, start + 20)
                    )
                )
        made = Backups(store, lease, {"main": target}, keyring, options)
        with pytest.raises(Exhausted, match="locks 400 tables") as raised:
            await made.create("main", "", Handle())
        assert "max_locks_per_transaction" in raised.value.hint
        assert objects(store) == []
    finally:
        await server.stop()
