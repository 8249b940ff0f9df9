"""A backup is made, found, read back and restored; real pg_dump, real pg_restore, a real repository."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from stewardd.backup.backups import Backups
from stewardd.backup.manifest.codec import BACKUP_MANIFEST
from stewardd.backup.newest import NewestBackups
from stewardd.backup.reading.dump import read_dump
from stewardd.errors import BackupNotFound, Corrupt, InvalidRequest
from stewardd.postgres.target import DatabaseTarget
from stewardd.postgres.tools import choose_tools, find_tools

from tests.integration.backup.conftest import ROWS, Handle, objects, processes
from tests.support.waiting import until

TABLES = ("people", "notes", "empty", "elders")


@pytest.fixture
def scratch(database: DatabaseTarget) -> Iterator[DatabaseTarget]:
    name = sql.Identifier(f"scratch_{secrets.token_hex(6)}")
    with psycopg.connect(database.conninfo, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(name))
        yield database.with_parameters(dbname=name.as_string().strip('"'))
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def contents(target: DatabaseTarget) -> dict[str, tuple[int, str]]:
    """Each table's rows: how many, and a hash that doesn't depend on their order."""
    found = {}
    with psycopg.connect(target.conninfo) as connection:
        for table in TABLES:
            rows = connection.execute(
                sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(table))
            ).fetchall()
            digest = hashlib.sha256("\n".join(sorted(row[0] for row in rows)).encode()).hexdigest()
            found[table] = (len(rows), digest)
    return found


async def restore(chunks, target: DatabaseTarget) -> None:
    tools = choose_tools(18, await find_tools(None))
    conninfo, environment = target.for_child()
    process = await asyncio.create_subprocess_exec(
        tools.program("pg_restore"),
        "--exit-on-error",
        f"--dbname={conninfo}",
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    )
    assert process.stdin is not None
    async for chunk in chunks:
        process.stdin.write(chunk)
        await process.stdin.drain()
    process.stdin.close()
    assert process.stderr is not None
    complaints = await process.stderr.read()
    assert await process.wait() == 0, complaints


async def test_a_backup_restores_to_the_same_tables(
    backups, store, handle, filled, scratch, keyring
):
    before = datetime.now(UTC)
    manifest = await backups.create("", "before the move", handle)
    await restore(read_dump(store, manifest, keyring.identities), scratch)
    assert contents(scratch) == contents(filled)
    assert contents(scratch)["notes"][0] == ROWS
    with psycopg.connect(scratch.conninfo) as connection:
        assert connection.execute("SELECT nextval('notes_id_seq')").fetchone() == (ROWS + 1,)
    assert before <= manifest.snapshot_time <= manifest.create_time <= datetime.now(UTC)
    assert manifest.server_version.startswith("18.")
    assert manifest.description == "before the move"
    assert len(manifest.segments) > 5
    assert manifest.stored_size_bytes < manifest.dump_size_bytes
    assert manifest.database_size_bytes > manifest.dump_size_bytes > 9_000_000


async def test_progress_goes_through_its_phases_and_never_back(backups, handle):
    manifest = await backups.create("main", "", handle)
    assert handle.phases == ["QUEUED", "DUMPING", "PUBLISHING"]
    for name in ("dumped_bytes", "stored_bytes"):
        values = [each[name] for each in handle.told]
        assert values == sorted(values)
    last = handle.told[-1]
    assert last["backup"] == manifest.backup_id
    assert last["dumped_bytes"] == manifest.dump_size_bytes
    assert last["stored_bytes"] == manifest.stored_size_bytes
    assert last["database_size_bytes"] == manifest.database_size_bytes


async def test_backups_are_got_and_listed_newest_first_by_pages(backups):
    made = [await backups.create("main", f"number {n}", Handle()) for n in range(3)]
    assert await backups.get(made[0].backup_id) == made[0]
    first = await backups.list(2, "")
    assert list(first.items) == [made[2], made[1]]
    second = await backups.list(2, first.next_page_token)
    assert list(second.items) == [made[0]]
    assert second.next_page_token == ""


async def test_the_newest_backup_of_each_database_is_known_without_waiting(
    store, lease, filled, options, keyring
):
    both = Backups(store, lease, {"main": filled, "other": filled}, keyring, options)
    newest = NewestBackups(both, ["main", "none"])
    assert await newest.look() is None
    assert newest.by_database == {}
    first = await both.create("main", "", Handle())
    other = await both.create("other", "", Handle())
    assert await newest.look() == other
    assert newest.by_database == {"main": first}
    second = await both.create("main", "", Handle())
    assert await newest.look() == second
    assert newest.by_database == {"main": second}


async def test_what_does_not_exist_is_not_found(backups):
    with pytest.raises(BackupNotFound):
        await backups.get("019aabcd-0000-7000-8000-000000000000")
    with pytest.raises(BackupNotFound):
        await backups.get("../../etc/passwd")
    assert (await backups.list(10, "")).items == ()


async def test_a_database_that_is_not_configured_is_refused_by_name(backups, handle):
    with pytest.raises(InvalidRequest, match="'other'; there is main") as raised:
        await backups.create("other", "", handle)
    assert raised.value.field == "database"


async def test_rows_that_come_while_the_dump_runs_are_not_in_it(
    backups, store, handle, filled, scratch, keyring
):
    def insert() -> None:
        with psycopg.connect(filled.conninfo) as connection:
            connection.execute("INSERT INTO people VALUES (-1, 'too late', NULL)")

    handle.at(lambda progress: progress["database_size_bytes"] != 0, insert)
    manifest = await backups.create("main", "", handle)
    await restore(read_dump(store, manifest, keyring.identities), scratch)
    assert contents(filled)["people"][0] == 1001
    assert contents(scratch)["people"][0] == 1000


async def test_one_dump_of_a_database_at_a_time(backups, locked):
    first, second = Handle(), Handle()
    both = [asyncio.create_task(backups.create("main", "", each)) for each in (first, second)]
    await until(lambda: len(processes("pg_dump --format")) == 1)
    await asyncio.sleep(0.5)
    assert len(processes("pg_dump --format")) == 1
    assert backups.running == 1
    assert second.phases == ["QUEUED"]
    locked.rollback()
    made = await asyncio.gather(*both)
    assert len({manifest.backup_id for manifest in made}) == 2
    assert backups.running == 0


async def test_no_secret_shows_in_the_arguments_of_any_process_nor_in_the_manifest(
    backups, store, filled, locked
):
    making = asyncio.create_task(backups.create("main", "", Handle()))
    await until(lambda: len(processes("pg_dump --format")) == 1)
    password = filled.for_child()[1]["PGPASSWORD"]
    argvs = subprocess.run(
        ["ps", "axww", "-o", "args"], capture_output=True, text=True, check=True
    ).stdout
    assert "stewardd.backup.making.worker" in argvs
    assert password not in argvs
    locked.rollback()
    manifest = await making
    assert password not in str(BACKUP_MANIFEST.to_json(manifest))


async def test_a_damaged_segment_is_found_before_a_byte_of_it_is_handed_on(
    backups, store, handle, keyring
):
    manifest = await backups.create("main", "", handle)
    paths = sorted(found for found in Path(store.root).rglob("segment-*") if found.is_file())
    good = b"".join([chunk async for chunk in read_dump(store, manifest, keyring.identities)])
    body, other = paths[2].read_bytes(), paths[3].read_bytes()
    paths[2].chmod(0o600)
    middle = len(body) // 2
    damages = {
        "flipped": body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :],
        "cut": body[:-1],
        "longer": body + b"x",
        "another": other,
        "gone": None,
    }
    for damage in damages.values():
        if damage is None:
            paths[2].unlink()
        else:
            paths[2].write_bytes(damage)
        read = b""
        with pytest.raises(Corrupt, match=f"segment-000002 of backup {manifest.backup_id}"):
            async for chunk in read_dump(store, manifest, keyring.identities):
                read += chunk
        assert good.startswith(read)
        assert 0 < len(read) < manifest.dump_size_bytes


async def test_reading_never_holds_more_than_a_segment_and_a_chunk(backups, store, handle, keyring):
    manifest = await backups.create("main", "", handle)
    sizes = [len(chunk) async for chunk in read_dump(store, manifest, keyring.identities)]
    assert max(sizes) <= 1 << 20
    assert sum(sizes) == manifest.dump_size_bytes


async def test_all_that_is_stored_belongs_to_a_backup(backups, store, handle):
    manifest = await backups.create("main", "", handle)
    names = {Path(key).name for key in objects(store)}
    beside = {"manifest.json", "contents", "globals"}
    assert names == beside | {segment.name for segment in manifest.segments}
