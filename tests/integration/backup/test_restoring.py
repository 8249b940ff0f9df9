"""A backup of either form comes back by pg_restore: all of it or a part, checked first, and nothing is left behind."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from stewardd.backup.asked import BackupAsked
from stewardd.backup.backups import Backups
from stewardd.backup.keys.keyring import Keyring
from stewardd.backup.manifest.backup import BackupManifest, DumpForm
from stewardd.backup.reading.contents import read_contents
from stewardd.backup.restoring.archive_head import read_head
from stewardd.backup.restoring.options import (
    RestoreOptions,
    RestorePhase,
    RestoreProgress,
    RestoreSource,
)
from stewardd.backup.restoring.restore import restore_into, restoring_tools
from stewardd.errors import (
    Corrupt,
    DatabaseRefused,
    InvalidRequest,
    KeyMissing,
    StorageFull,
    ToolFailed,
)
from stewardd.postgres.dump_catalog import TableName
from stewardd.postgres.target import DatabaseTarget
from stewardd.repository.backend.folder.store import FolderStore

from tests.integration.backup.conftest import ROWS, Handle, processes
from tests.support.stored_backup import segment_key

WORKER = "stewardd.backup.restoring.worker"
FORMS = pytest.mark.parametrize("form", list(DumpForm), ids=[each.value for each in DumpForm])


@pytest.fixture
def empty(database: DatabaseTarget) -> Iterator[DatabaseTarget]:
    """A database to restore into."""
    name = f"restored_{secrets.token_hex(6)}"
    with psycopg.connect(database.conninfo, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        yield database.with_parameters(dbname=name)
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def source_of(store: FolderStore, keyring: Keyring):
    def source(manifest: BackupManifest) -> RestoreSource:
        return RestoreSource(manifest, str(store.root), {}, keyring.identities)

    return source


@pytest.fixture
def restoring(folder: Path) -> RestoreOptions:
    return RestoreOptions(staging_dir=folder / "staging", jobs=2, reserve_bytes=1 << 20)


async def made(backups: Backups, handle: Handle, form: DumpForm) -> BackupManifest:
    return await backups.create("main", "", handle, asked=BackupAsked(form=form))


async def program(manifest: BackupManifest) -> str:
    return (await restoring_tools(manifest, 18, None)).program("pg_restore")


def one(target: DatabaseTarget, query: str) -> object:
    with psycopg.connect(target.conninfo) as connection:
        row = connection.execute(query).fetchone()
        assert row is not None
        return row[0]


def tables_of(target: DatabaseTarget) -> list[str]:
    with psycopg.connect(target.conninfo) as connection:
        rows = connection.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1"
        ).fetchall()
        return [row[0] for row in rows]


@FORMS
async def test_a_whole_backup_comes_back_with_its_progress(
    backups, filled, handle, source_of, restoring, empty, form
):
    manifest = await made(backups, handle, form)
    told: list[RestoreProgress] = []
    result = await restore_into(
        source_of(manifest), empty, await program(manifest), restoring, told.append
    )
    assert (result.issues, result.stderr, result.restored_tables) == ((), "", 3)
    assert one(empty, "SELECT count(*) FROM notes") == ROWS
    assert one(empty, "SELECT nextval('notes_id_seq')") == ROWS + 1
    checksum = "SELECT md5(string_agg(n::text, '' ORDER BY id)) FROM notes n"
    assert one(empty, checksum) == one(filled, checksum)
    phases = list(dict.fromkeys(each.phase for each in told))
    assert phases == [RestorePhase.CHECKING, RestorePhase.RESTORING]
    last = told[-1]
    assert (last.restored_tables, last.total_tables, last.read_bytes) == (3, 3, last.total_bytes)
    assert list(restoring.staging_dir.iterdir()) == []
    assert processes(WORKER) == []


async def test_several_jobs_create_many_objects_in_one_transaction(
    backups, filled, handle, source_of, restoring, empty
):
    manifest = await made(backups, handle, DumpForm.DIRECTORY)
    batched = replace(restoring, tools_major=18)
    await restore_into(source_of(manifest), empty, await program(manifest), batched)
    transactions = (
        "SELECT count(DISTINCT t.xmin::text) FROM pg_type t JOIN pg_class c ON c.reltype = t.oid "
    )
    assert tables_of(empty) == tables_of(filled) != []
    assert (
        one(
            empty, f"{transactions} WHERE c.relkind = 'r' AND relnamespace = 'public'::regnamespace"
        )
        == 1
    )


@FORMS
async def test_a_chosen_table_comes_back_with_all_that_belongs_to_it(
    backups, filled, handle, source_of, restoring, empty, form
):
    with psycopg.connect(filled.conninfo) as connection:
        connection.execute("CREATE INDEX by_body ON notes (left(body, 10))")
        connection.execute("COMMENT ON COLUMN notes.body IS 'text'")
    manifest = await made(backups, handle, form)
    chosen = replace(restoring, tables=(TableName("public", "notes"),))
    result = await restore_into(source_of(manifest), empty, await program(manifest), chosen)
    assert (result.issues, result.restored_tables) == ((), 1)
    assert tables_of(empty) == ["notes"]
    assert one(empty, "SELECT count(*) FROM notes") == ROWS
    assert one(empty, "SELECT nextval('notes_id_seq')") == ROWS + 1
    assert one(empty, "SELECT count(*) FROM pg_index WHERE indrelid = 'notes'::regclass") == 2
    # The foreign key goes to a table that was not chosen.
    assert (
        one(
            empty,
            "SELECT count(*) FROM pg_constraint WHERE conrelid = 'notes'::regclass AND contype = 'f'",
        )
        == 0
    )
    assert one(empty, "SELECT col_description('notes'::regclass, 3)") == "text"
    unknown = replace(restoring, tables=(TableName("public", "nothing"),))
    with pytest.raises(InvalidRequest, match="holds no table"):
        await restore_into(source_of(manifest), empty, await program(manifest), unknown)


async def test_a_chosen_table_needs_only_its_own_segments(
    with_options, filled, handle, source_of, restoring, empty, store
):
    backups = with_options(segment_bytes=1 << 16)
    with psycopg.connect(filled.conninfo) as connection:
        connection.execute("CREATE TABLE word AS SELECT 'kept' AS word")
    manifest = await made(backups, handle, DumpForm.DIRECTORY)
    assert len(manifest.segments) > 10
    from stewardd.backup.reading.contents import read_contents

    contents = await read_contents(store, manifest, source_of(manifest).identities)
    needed = {
        piece.segment
        for each in contents.files
        if each.name == "toc.dat" or each.size_bytes < 100
        for piece in each.pieces
    }
    for number in range(len(manifest.segments)):
        if number not in needed:
            await store.delete(segment_key(manifest.backup_id, number))
    chosen = replace(restoring, tables=(TableName("public", "word"),))
    await restore_into(source_of(manifest), empty, await program(manifest), chosen)
    assert one(empty, "SELECT word FROM word") == "kept"


@FORMS
async def test_nothing_is_restored_of_a_backup_with_one_changed_byte(
    backups, handle, source_of, restoring, empty, store, form
):
    manifest = await made(backups, handle, form)
    last = store.root / segment_key(manifest.backup_id, len(manifest.segments) - 1)
    body = bytearray(last.read_bytes())
    body[len(body) // 2] ^= 1
    last.write_bytes(body)
    with pytest.raises(Corrupt, match="its checksum differs"):
        await restore_into(source_of(manifest), empty, await program(manifest), restoring)
    assert tables_of(empty) == []
    assert list(restoring.staging_dir.iterdir()) == []


@FORMS
async def test_what_cannot_be_done_is_refused_by_name(
    backups, handle, source_of, restoring, empty, form
):
    manifest = await made(backups, handle, form)
    tool = await program(manifest)
    with pytest.raises(KeyMissing):
        await restore_into(replace(source_of(manifest), identities=()), empty, tool, restoring)
    nowhere = empty.with_parameters(dbname="nowhere")
    with pytest.raises(DatabaseRefused, match="does not exist"):
        await restore_into(source_of(manifest), nowhere, tool, restoring)
    if form is DumpForm.DIRECTORY:
        full = replace(restoring, reserve_bytes=1 << 60)
        with pytest.raises(StorageFull):
            await restore_into(source_of(manifest), empty, tool, full)
    assert tables_of(empty) == []


@FORMS
async def test_errors_are_told_by_entry_and_show_no_value(
    backups, handle, source_of, restoring, empty, form
):
    manifest = await made(backups, handle, form)
    with psycopg.connect(empty.conninfo) as connection:
        connection.execute(
            "CREATE TABLE people (id int PRIMARY KEY, name text CHECK (length(name) < 3), born date)"
        )
    tool = await program(manifest)
    going_on = replace(restoring, stop_at_first_error=False)
    result = await restore_into(source_of(manifest), empty, tool, going_on)
    entries = [each.entry for each in result.issues]
    assert "TABLE people" in entries
    assert "TABLE DATA people" in entries
    rows = next(each for each in result.issues if each.entry == "TABLE DATA people")
    assert 'violates check constraint "people_name_check"' in rows.error
    assert "Zo" not in repr(result)
    assert one(empty, "SELECT count(*) FROM notes") == ROWS
    with pytest.raises(ToolFailed, match="already exists"):
        await restore_into(source_of(manifest), empty, tool, restoring)


async def test_one_table_of_a_hundred_needs_no_segment_that_holds_others_alone(
    with_options, store, keyring, filled, empty, source_of, restoring, handle
):
    with psycopg.connect(filled.conninfo) as connection:
        for number in range(100):
            connection.execute(
                f"CREATE TABLE t{number} AS SELECT n, (SELECT string_agg(md5(n::text || k || {number}), '')"
                " FROM generate_series(1, 30) k) AS body FROM generate_series(1, 60) n"
            )
    manifest = await made(with_options(segment_bytes=1 << 18), handle, DumpForm.DIRECTORY)
    contents = await read_contents(store, manifest, keyring.identities)
    head = await read_head(store, manifest, contents, keyring.identities, store.root)
    (file,) = (
        each.file for each in head.entries if (each.kind, each.name) == ("TABLE DATA", "t42")
    )
    needed = {
        piece.segment
        for each in contents.files
        if each.name in ("toc.dat", file)
        for piece in each.pieces
    }
    assert len(manifest.segments) > 8 * len(needed)
    for number in set(range(len(manifest.segments))) - needed:
        (store.root / segment_key(manifest.backup_id, number)).unlink()
    chosen = replace(restoring, tables=(TableName("public", "t42"),))
    await restore_into(source_of(manifest), empty, await program(manifest), chosen)
    assert one(empty, "SELECT count(*) FROM t42") == 60
    assert one(empty, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 1
