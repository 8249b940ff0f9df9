"""The hash of a table is that of its COPY, whoever reads it; and a psql that fails or is killed leaves nothing."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import pytest
import xxhash
from stewardd.backup.reading.contents import read_contents
from stewardd.backup.worker.lifetime import children_of
from stewardd.backup.worker.psql_session import psql_sessions
from stewardd.errors import DatabaseDown, DatabaseRefused, ToolFailed
from stewardd.postgres.copy_session import LARGE_BYTES, CopySession, StartCopySession
from stewardd.postgres.dump_catalog import Choice, TableName
from stewardd.postgres.dump_source import DumpSource
from stewardd.postgres.restored import read_restored
from stewardd.postgres.snapshot import export_snapshot
from stewardd.postgres.table_proof import MD5_METHOD, METHOD, TableProof
from stewardd.postgres.target import DatabaseTarget
from stewardd.postgres.tools import choose_tools, find_tools

from tests.integration.backup.conftest import Handle, alive, processes
from tests.support.sql import rows, run
from tests.support.waiting import until

SESSION = "test of psql"
LARGE = TableName("public", "la:rge")
SMALL = TableName("public", "small")
# More than LARGE_BYTES, values that COPY escapes, lines that are longer than a read, and NULL beside ''.
TABLES = rf"""
CREATE TABLE "la:rge" (b text, "A" int, made int GENERATED ALWAYS AS ("A" * 2) STORED);
ALTER TABLE "la:rge" ALTER b SET STORAGE EXTERNAL;
INSERT INTO "la:rge" SELECT CASE n % 5 WHEN 0 THEN NULL WHEN 1 THEN '' WHEN 2 THEN '\.' WHEN 3 THEN E'\\.\nä\t\r' END, n
  FROM generate_series(1, 20000) n;
INSERT INTO "la:rge" SELECT repeat(chr(64 + n), {LARGE_BYTES} / 5 + n), n FROM generate_series(1, 6) n;
CREATE TABLE small AS SELECT n AS id, NULLIF('Ada', repeat('Ada', n - 1)) AS name FROM generate_series(1, 2) n;
"""
READER = """
import asyncio, sys
from stewardd.backup.worker.lifetime import children_of
from stewardd.backup.worker.psql_session import psql_sessions
from stewardd.postgres.target import DatabaseTarget
async def read():
    session = psql_sessions(sys.argv[2], sys.argv[3])(DatabaseTarget("main", sys.argv[1]))
    await session.execute("SELECT pg_sleep(600)")
asyncio.run(read())
"""
SLEEPING = "SELECT FROM pg_stat_activity WHERE application_name = %s AND wait_event = 'PgSleep'"
SMALL_PROOF = TableProof(2, "12385918140429724475")  # as docs/formats/backup.md has it


@pytest.fixture
def filled_tables(database: DatabaseTarget) -> DatabaseTarget:
    run(database, TABLES)
    return database


async def starting(started: list[DatabaseTarget] | None = None) -> StartCopySession:
    """What starts a session by psql, and remembers that it did."""
    start = psql_sessions(choose_tools(18, await find_tools(None)).psql, SESSION)
    assert start is not None

    def noted(target: DatabaseTarget) -> CopySession:
        if started is not None:
            started.append(target)
        return start(target)

    return noted


@asynccontextmanager
async def session_of(target: DatabaseTarget) -> AsyncIterator[CopySession]:
    session = (await starting())(target)
    try:
        yield session
    finally:
        await session.end()


async def proofs_of(
    target: DatabaseTarget, method: str, start: StartCopySession | None
) -> dict[TableName, TableProof]:
    found = await read_restored(
        target,
        [LARGE, SMALL],
        method=method,
        jobs=2,
        start_session=start,
        on_table=lambda: None,
    )
    return found.tables


def recomputed(target: DatabaseTarget) -> TableProof:
    """By another implementation of XXH3, from COPY alone."""
    with (
        psycopg.connect(target.conninfo) as connection,
        connection.cursor().copy('COPY "la:rge" ("A", b) TO STDOUT') as copy,
    ):
        lines = b"".join(copy).split(b"\n")[:-1]
    return TableProof(len(lines), str(sum(map(xxhash.xxh3_64_intdigest, lines))))


async def test_psql_and_a_connection_find_the_hash_that_anybody_can_recompute(filled_tables):
    started: list[DatabaseTarget] = []
    wanted = {LARGE: recomputed(filled_tables), SMALL: SMALL_PROOF}
    assert wanted[LARGE].rows == 20_006
    assert await proofs_of(filled_tables, METHOD, await starting(started)) == wanted
    assert len(started) == 1
    assert await proofs_of(filled_tables, METHOD, None) == wanted
    unreachable = filled_tables.with_parameters(host="/nonexistent")
    start = await starting()
    assert await proofs_of(filled_tables, METHOD, lambda _: start(unreachable)) == wanted


async def test_the_source_is_read_by_psql_in_its_snapshot(filled_tables):
    started: list[DatabaseTarget] = []
    wanted = {LARGE: recomputed(filled_tables), SMALL: SMALL_PROOF}
    async with export_snapshot(filled_tables, 15) as snapshot:
        run(filled_tables, 'DELETE FROM "la:rge"', "DELETE FROM small")
        source = DumpSource(filled_tables, snapshot, 15, await starting(started))
        survey = await source.survey(Choice(), sessions=4)
        proof = await source.prove(
            survey.tables, hashed=True, jobs=2, lock_timeout_s=5, on_table=lambda _: None
        )
    assert proof.tables == wanted
    assert len(started) == 1
    assert processes(SESSION) == []


async def test_a_backup_has_the_hashes_of_its_large_tables(backups, store, keyring, filled):
    assert rows(filled, "SELECT pg_relation_size('notes') >= %s", LARGE_BYTES) == [(True,)]
    contents = await read_contents(
        store, await backups.create("main", "", Handle()), keyring.identities
    )
    assert contents.method == METHOD
    told = {each.name: TableProof(each.rows, each.hash) for each in contents.tables}
    names = [TableName("public", name) for name in told]
    found = await read_restored(
        filled, names, method=METHOD, jobs=1, start_session=None, on_table=lambda: None
    )
    assert told == {name.name: proof for name, proof in found.tables.items()}


async def test_hashes_of_an_older_backup_are_compared_by_their_own_method(filled_tables):
    wanted = {}
    for name, columns in ((LARGE, '"A", "b"'), (SMALL, '"id", "name"')):
        query = (
            f"SELECT count(*), sum(('x' || left(md5(ROW({columns})::text), 16))::bit(64)::bigint)::text"
            f' FROM ONLY "{name.name}"'
        )
        ((count, found),) = rows(filled_tables, query)
        assert isinstance(count, int)
        wanted[name] = TableProof(count, str(found))
    assert await proofs_of(filled_tables, MD5_METHOD, await starting()) == wanted


async def test_rows_that_may_not_be_read_whole_are_counted(filled_tables):
    role = f"reader_{secrets.token_hex(4)}"
    run(
        filled_tables,
        f"CREATE ROLE {role} LOGIN PASSWORD 'x'",
        f'GRANT SELECT ("A") ON "la:rge" TO {role}',
        f"GRANT SELECT ON small TO {role}",
    )
    reader = filled_tables.with_parameters(user=role, password="x")
    for start in (await starting(), None):
        found = await proofs_of(reader, METHOD, start)
        assert found == {LARGE: TableProof(20_006, None), SMALL: SMALL_PROOF}
    run(filled_tables, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


async def test_a_table_that_is_gone_is_refused_by_its_name(filled_tables):
    async with export_snapshot(filled_tables, 15) as snapshot:
        source = DumpSource(filled_tables, snapshot, 15, await starting())
        survey = await source.survey(Choice(), sessions=4)
        run(filled_tables, 'DROP TABLE "la:rge"')
        with pytest.raises(DatabaseRefused, match="la:rge"):
            await source.prove(
                survey.tables, hashed=True, jobs=1, lock_timeout_s=5, on_table=lambda _: None
            )


@pytest.mark.parametrize("how", ["ended by the server", "killed"])
async def test_a_session_that_is_lost_says_so_and_leaves_no_psql(filled_tables, how):
    """psql waits for a lock that nobody gives back."""
    sessions = await starting()

    def start(target: DatabaseTarget) -> CopySession:
        locker.execute('LOCK TABLE "la:rge" IN ACCESS EXCLUSIVE MODE')
        return sessions(target)

    reading = asyncio.create_task(proofs_of(filled_tables, METHOD, start))
    with psycopg.connect(filled_tables.conninfo) as locker:
        await until(lambda: waiting(filled_tables))
        ((pid,),) = waiting(filled_tables)
        if how == "killed":
            (process,) = processes(SESSION)
            os.kill(process, signal.SIGKILL)
        else:
            rows(filled_tables, "SELECT pg_terminate_backend(%s)", pid)
        with pytest.raises(ToolFailed if how == "killed" else DatabaseDown):
            await reading
    assert processes(SESSION) == []


async def test_a_reading_that_is_cancelled_leaves_no_psql(filled_tables):
    with psycopg.connect(filled_tables.conninfo) as locker:
        locker.execute('LOCK TABLE "la:rge" IN ACCESS EXCLUSIVE MODE')
        async with session_of(filled_tables) as session:
            copying = asyncio.create_task(session.copy('COPY "la:rge" TO STDOUT'))
            await until(lambda: waiting(filled_tables))
            copying.cancel()
            await asyncio.wait([copying])
            assert copying.cancelled()
    assert processes(SESSION) == []


async def test_psql_ends_with_the_process_that_started_it(database):
    """Also while the server sends it nothing, so that it does not see that nobody reads."""
    psql = choose_tools(18, await find_tools(None)).psql
    child = subprocess.Popen([sys.executable, "-c", READER, database.conninfo, str(psql), SESSION])
    try:
        await until(lambda: rows(database, SLEEPING, SESSION))
        (process,) = children_of(child.pid)
    finally:
        child.kill()
        child.wait()
    await until(lambda: not alive(process))


async def test_a_psql_that_does_not_start_says_so(filled_tables, folder):
    program = folder / "psql"
    program.write_text("no program")
    program.chmod(0o755)
    with pytest.raises(ToolFailed, match="psql does not start"):
        await proofs_of(filled_tables, METHOD, psql_sessions(str(program), SESSION))


def waiting(target: DatabaseTarget) -> list[tuple[object, ...]]:
    return rows(
        target,
        "SELECT pid FROM pg_stat_activity WHERE application_name = %s AND datname = current_database()"
        " AND wait_event_type = 'Lock'",
        SESSION,
    )
