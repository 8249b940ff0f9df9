"""Dumps that others made, on a real server: every form, what is refused, and what a hostile one may not do."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import os
import re
import secrets
import shutil
import signal
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard
from stewardd.backup.dump_files.file_worker import DumpFileWorker
from stewardd.backup.dump_files.found_file import DumpFileFinder
from stewardd.backup.dump_files.places import DumpPlaces, DumpRoot
from stewardd.backup.dump_files.protocol import FileRestore
from stewardd.backup.manifest.backup import select
from stewardd.backup.restoring.documents import FileForm, RestoreMade, RestoreStanding
from stewardd.backup.restoring.request import RestoreMode, RestoreRequest, RestoreRoles
from stewardd.backup.restoring.restores import Restores, RestoreSettings
from stewardd.backup.restoring.unfinished import UnfinishedRestores
from stewardd.errors import (
    DatabaseRefused,
    DumpRunsCommands,
    DumpUnreadable,
    ExtensionsMissing,
    InvalidRequest,
    RolesMissing,
    ServerTooOld,
    SignerUnknown,
    StatementFailed,
    ToolFailed,
    ToolMissing,
    UriRefused,
)
from stewardd.postgres.target import DatabaseTarget
from stewardd.repository.backend.folder.store import FolderStore
from stewardd.repository.lease import WriterLease
from stewardd.repository.turns import Turns
from stewardd.uninterrupted import uninterrupted

from tests.integration.backup.conftest import processes
from tests.support.campaigns import FULL
from tests.support.dump_files import (
    END,
    HEAD,
    hostile_dumps,
    job_for,
    run_plain,
)
from tests.support.sql import databases, rows, run
from tests.support.waiting import until

ROWS = 300
DATA = (
    "CREATE TABLE people (id int PRIMARY KEY, name text NOT NULL)",
    r"INSERT INTO people SELECT n, 'Zoë ' || n || E'\t\\ \n\\! ls\n\\.x' FROM generate_series(1, 300) n",
    "CREATE TABLE notes (id bigserial PRIMARY KEY, person int REFERENCES people, body bytea)",
    "INSERT INTO notes (person, body) SELECT n, decode(md5(n::text), 'hex') FROM generate_series(1, 300) n",
    "CREATE FUNCTION shout() RETURNS text LANGUAGE plpgsql AS $x$\nBEGIN\n  RETURN '\n\\! ls\n';\nEND;\n$x$",
    "CREATE TABLE empty (a int)",
    "COMMENT ON TABLE notes IS E'two\n\\\\connect lines'",
    "SELECT lo_from_bytea(77, '\\x010203')",
)
FORMS = [("sql", "gzip"), ("custom", "zstd"), ("tar", "none")]
if FULL:
    FORMS += [("sql", "none"), ("inserts", "zstd"), ("custom", "none"), ("folder", "gzip")]


@pytest.fixture(scope="module")
def dumps(embedded_server, session_folder, programs) -> Iterator[Path]:
    """A folder with a dump in each form, made by pg_dump."""
    folder = session_folder / "dump-files"
    folder.mkdir()
    name = f"dumped_{secrets.token_hex(4)}"
    admin, source = embedded_server.target("admin"), embedded_server.target("main", name)
    run(admin, f'CREATE DATABASE "{name}"')
    run(source, *DATA)
    for form, options in (
        ("sql", ["--format=plain"]),
        ("inserts", ["--format=plain", "--inserts", "--clean", "--if-exists"]),
        ("custom", ["--format=custom"]),
        ("tar", ["--format=tar"]),
        ("made", ["--format=directory"]),
        ("create", ["--format=plain", "--create"]),
    ):
        dump(programs, source, *options, f"--file={folder / form}")
    with tarfile.open(folder / "folder", "w") as archive:
        archive.add(folder / "made", arcname="backups/made")
    run(admin, f'DROP DATABASE "{name}"')
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
async def restores(live: DatabaseTarget, folder: Path, dumps: Path, inbox: Path):
    store = FolderStore(folder / "repository")
    (folder / "writer").mkdir()
    lease = await WriterLease.acquire(store, folder / "writer")
    finder = DumpFileFinder(DumpPlaces([DumpRoot(str(dumps)), DumpRoot(inbox.as_uri())]))
    (folder / "staging").mkdir()
    settings = RestoreSettings(staging_dir=folder / "staging", reserve_bytes=1 << 20)
    turns = Turns(store, lease, "restores")
    yield Restores({"main": live}, finder, UnfinishedRestores(store), turns, settings)
    assert list((folder / "staging").iterdir()) == []
    assert await UnfinishedRestores(store).all() == {}
    await lease.close()


def no_report(_: RestoreStanding) -> None:
    """For a restore whose progress nobody asks for."""


def asked(path: Path, **changes: object) -> RestoreRequest:
    request = RestoreRequest(dump_uri=path.as_uri(), accepts_unknown_signer=True)
    return replace(request, **changes)  # type: ignore[arg-type]


def dump(programs: Path, target: DatabaseTarget, *options: str) -> None:
    conninfo, secret = target.for_child()
    environment = {**os.environ, **secret}
    subprocess.run([programs / "pg_dump", *options, conninfo], env=environment, check=True)


def check(live: DatabaseTarget, made: RestoreMade) -> None:
    """All that was dumped is in the new database."""
    there = live.with_parameters(dbname=made.target)
    assert rows(there, "SELECT count(*), sum(id), count(DISTINCT name) FROM people") == [
        (ROWS, ROWS * (ROWS + 1) // 2, ROWS)
    ]
    assert rows(there, "SELECT name FROM people WHERE id = 7") == [("Zoë 7\t\\ \n\\! ls\n\\.x",)]
    assert rows(there, "INSERT INTO notes DEFAULT VALUES RETURNING id") == [(ROWS + 1,)]
    assert rows(there, "SELECT shout(), obj_description('notes'::regclass)") == [
        ("\n\\! ls\n", "two\n\\connect lines")
    ]
    assert rows(there, "SELECT lo_get(77)") == [(b"\x01\x02\x03",)]


@pytest.mark.parametrize(("form", "packing"), FORMS)
async def test_a_dump_of_every_form_comes_back_whole_and_nothing_is_called_proven(
    restores, dumps, inbox, live, form, packing
):
    body = (dumps / form).read_bytes()
    pack: dict[str, Callable[[bytes], bytes]] = {
        "none": bytes, "gzip": gzip.compress, "zstd": zstandard.ZstdCompressor().compress,
    }  # fmt: skip
    path = inbox / "a name with blanks, no ending"
    path.write_bytes(pack[packing](body))
    told: list[RestoreStanding] = []
    made = await restores.run(asked(path), "", told.append)
    check(live, made)
    file = made.dump_file
    assert file is not None
    assert (file.packing.value.lower(), file.encoding) == (packing, "UTF8")
    assert file.form.value == {"inserts": "SQL", "folder": "TAR"}.get(form, form.upper())
    assert file.tool_version.startswith("18.")
    digest = subprocess.run(["sha256sum", path], capture_output=True, text=True, check=True)
    assert digest.stdout.startswith(f"{file.sha256} ")
    assert file.size_bytes == path.stat().st_size
    assert (made.compared_tables, made.restored_tables) == (0, 3)
    assert any("no table is compared" in each for each in made.not_proven)
    assert any("a superuser, who may run programs" in each for each in made.not_proven)
    assert told[0].stage.value == "CHECKING"
    assert told[-1].stage.value == "RESTORING"
    assert told[-1].read_bytes == told[-1].size_bytes == path.stat().st_size
    assert rows(live, "SELECT count(*) FROM pg_class WHERE relname = 'people'") == [(0,)]


async def test_a_hostile_dump_leaves_no_database_and_no_staging(restores, live, inbox):
    before = databases(live)
    marker, path = inbox / "marker", inbox / "dump.sql.gz"
    path.write_bytes(gzip.compress(hostile_dumps(marker)["behind its own pair"].encode()))
    with pytest.raises(DumpRunsCommands, match="line 8 of the dump"):
        await restores.run(asked(path), "", no_report)
    assert databases(live) == before
    assert not marker.exists()


async def test_a_psql_that_cannot_be_restricted_is_refused_by_name(
    restores, live, dumps, folder, programs
):
    older = folder / "tools"
    older.mkdir(mode=0o755)
    for name in ("pg_dump", "pg_restore"):
        (older / name).write_text(f'#!/bin/sh\nexec "{programs / name}" "$@"\n')
    (older / "psql").write_text(f'#!/bin/sh\n"{programs / "psql"}" "$@" | grep -v restrict\n')
    for name in ("pg_dump", "pg_restore", "psql"):
        (older / name).chmod(0o755)
    finder = DumpFileFinder(DumpPlaces([DumpRoot(str(dumps))]))
    settings = RestoreSettings(tools_dir=older, staging_dir=folder, reserve_bytes=1 << 20)
    bound = Restores({"main": live}, finder, restores._unfinished, restores._turns, settings)
    with pytest.raises(ToolMissing, match=r"no psql here knows \\restrict: there is 18\."):
        await bound.run(asked(dumps / "sql"), "", no_report)
    assert (await bound.plan(asked(dumps / "custom"))).blockers == ()


async def test_an_error_behind_a_commit_of_the_dump_leaves_no_database_either(
    restores, live, inbox
):
    before = databases(live)
    text = "CREATE TABLE t (a int);\nBEGIN;\nCOMMIT;\nSELECT nothing;\n"
    (inbox / "dump.sql").write_text(f"{HEAD}{text}{END}")
    with pytest.raises(StatementFailed, match=r"line 8 .*does not exist"):
        await restores.run(asked(inbox / "dump.sql"), "", no_report)
    (inbox / "dump.sql").write_text(f"{HEAD}CREATE EXTENSION no_such_extension;\n{END}")
    with pytest.raises(ExtensionsMissing, match="no_such_extension"):
        await restores.run(asked(inbox / "dump.sql"), "", no_report)
    assert databases(live) == before


async def test_what_is_no_dump_or_lies_elsewhere_is_refused_before_anything_is_made(
    restores, live, inbox, dumps, folder
):
    before = databases(live)
    (inbox / "empty").touch()
    (inbox / "cut.sql").write_bytes((dumps / "sql").read_bytes()[:3000])
    (inbox / "cut.gz").write_bytes(gzip.compress((dumps / "sql").read_bytes())[:-200])
    (inbox / "cut.custom").write_bytes((dumps / "custom").read_bytes()[:3000])
    (inbox / "cut.tar").write_bytes((dumps / "tar").read_bytes()[:30_000])
    (inbox / "all.sql").write_text("--\n-- PostgreSQL database cluster dump\n--\nSET x = 1;\n")
    (inbox / "link").symlink_to(dumps / "sql")
    (folder / "outside.sql").write_text("SELECT 1;")
    refused: list[tuple[Path | str, type[Exception], str]] = [
        (inbox / "empty", DumpUnreadable, "empty"),
        (inbox / "cut.sql", DumpUnreadable, "cut off"),
        (inbox / "cut.gz", DumpUnreadable, "cut off"),
        (inbox / "cut.custom", DumpUnreadable, "cut off|cannot read"),
        (inbox / "cut.tar", DumpUnreadable, "cut off"),
        (inbox / "all.sql", DumpUnreadable, "pg_dumpall"),
        (dumps / "create", DumpUnreadable, "creates its database"),
        (dumps / "made", UriRefused, "no regular file"),
        (inbox / "link", UriRefused, "cannot be opened"),
        (folder / "outside.sql", UriRefused, "outside"),
        (f"{inbox.as_uri()}/../outside.sql", UriRefused, "not absolute and plain"),
        ("http://example.com/dump.sql", UriRefused, "not of the form"),
        (inbox / "missing", UriRefused, "cannot be opened"),
    ]
    for place, error, told in refused:
        uri = place if isinstance(place, str) else place.as_uri()
        request = RestoreRequest(dump_uri=uri, accepts_unknown_signer=True)
        with pytest.raises(error, match=told):
            await restores.run(request, "", no_report)
        assert databases(live) == before, place


async def test_a_plan_names_the_signer_the_version_and_the_roles_and_a_restore_refuses_them(
    restores, live, inbox
):
    role, before = f"gone {secrets.token_hex(4)}", databases(live)
    text = f'CREATE TABLE t (a int);\nALTER TABLE public.t OWNER TO "{role}";\n'
    (inbox / "roles.sql").write_text(f"{HEAD}-- Dumped from database version 15.3\n{text}{END}")
    (inbox / "newer.sql").write_text(
        f"{HEAD}-- Dumped from database version 99.1\nSET x.y = 1;\n{END}"
    )
    unsigned = asked(inbox / "roles.sql", accepts_unknown_signer=False)
    plan = await restores.plan(unsigned)
    assert [type(each) for each in plan.blockers] == [SignerUnknown, RolesMissing]
    assert "'postgres', a superuser, who may run programs" in plan.blockers[0].message
    for request, error in (
        (unsigned, SignerUnknown),
        (asked(inbox / "newer.sql"), ServerTooOld),
        (asked(inbox / "roles.sql"), RolesMissing),
        (asked(inbox / "roles.sql", roles=RestoreRoles.IGNORE), InvalidRequest),
        (asked(inbox / "roles.sql", role_map={role: "postgres"}), InvalidRequest),
        (asked(inbox / "roles.sql", selection=select(tables=["public.t"])), InvalidRequest),
        (asked(inbox / "roles.sql", mode=RestoreMode.IN_PLACE), InvalidRequest),
        (asked(inbox / "roles.sql", backup_id="0"), InvalidRequest),
    ):
        with pytest.raises(error):
            await restores.run(request, "", no_report)
    assert databases(live) == before
    created = asked(inbox / "roles.sql", roles=RestoreRoles.CREATE)
    made = await restores.run(created, "", no_report)
    try:
        there = live.with_parameters(dbname=made.target)
        assert rows(there, "SELECT tableowner FROM pg_tables WHERE tablename = 't'") == [(role,)]
        assert made.created_roles == (role,)
    finally:
        run(live, f'DROP DATABASE "{made.target}"', f'DROP ROLE "{role}"')


async def test_a_role_that_only_the_end_of_a_long_dump_names_is_missed_before_anything_is_made(
    restores, live, inbox
):
    before, stages = databases(live), []
    text = "-- nothing\n" * 200_000 + "GRANT SELECT ON TABLE public.t TO nobody_has_it;\n"
    (inbox / "long.sql").write_text(f"{HEAD}SELECT 1;\n{text}{END}")
    assert (await restores.plan(asked(inbox / "long.sql"))).blockers == ()
    with pytest.raises(RolesMissing, match="nobody_has_it"):
        await restores.run(
            asked(inbox / "long.sql"), "", lambda told: stages.append(told.stage.value)
        )
    assert set(stages) == {"CHECKING"}
    assert databases(live) == before


async def test_a_part_of_an_archive_is_chosen_and_its_roles_are_mapped(restores, live, dumps):
    request = asked(
        dumps / "custom", selection=select(tables=["public.people"]), role_map={"postgres": "pg_monitor"}
    )  # fmt: skip
    made = await restores.run(request, "", no_report)
    there = live.with_parameters(dbname=made.target)
    assert rows(
        there, "SELECT tablename, tableowner FROM pg_tables WHERE schemaname = 'public'"
    ) == [("people", "pg_monitor")]
    if FULL:
        folder = replace(request, dump_uri=(dumps / "folder").as_uri())
        made = await restores.run(folder, "", no_report)
        there = live.with_parameters(dbname=made.target)
        assert rows(there, "SELECT count(*) FROM people") == [(ROWS,)]


async def test_a_dump_takes_the_place_of_the_live_database_which_is_kept(restores, live, dumps):
    run(live, "CREATE TABLE before (a int)")
    request = asked(dumps / "sql", mode=RestoreMode.SWAP)
    made = await restores.run(request, live.database, no_report)
    assert made.target == live.database
    check(live, made)
    kept = live.with_parameters(dbname=made.kept)
    assert rows(kept, "SELECT count(*) FROM before") == [(0,)]


@pytest.mark.parametrize("ends_by", ["kill", "cancel"] if FULL else ["kill"])
async def test_nothing_is_left_where_psql_is_killed_or_the_restore_is_cancelled(
    restores, live, inbox, ends_by
):
    before = databases(live)
    path = inbox / "slow.sql"
    path.write_text(f"{HEAD}CREATE TABLE t (a int);\nSELECT pg_sleep(600);\n{END}")
    restoring = asyncio.create_task(restores.run(asked(path), "", no_report))
    sleeping = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600);'"
    await until(lambda: restoring.done() or rows(live, sleeping) == [(1,)])
    (psql,) = processes("--single-transaction")
    if ends_by == "kill":
        os.kill(psql, signal.SIGKILL)
        with pytest.raises(ToolFailed, match="psql was killed by SIGKILL"):
            await restoring
    else:
        restoring.cancel()
        with pytest.raises(asyncio.CancelledError):
            await uninterrupted(restoring)
    assert processes("--single-transaction") == []
    assert databases(live) == before


async def test_text_of_another_encoding_is_converted_or_kept_as_it_is(
    restores, live, inbox, programs
):
    table = "CREATE TABLE t (a text);\nCOPY t FROM stdin;\nZoë\n\\.\n"
    latin = f"{HEAD}SET client_encoding = 'LATIN1';\n{table}{END}"
    (inbox / "latin.sql").write_bytes(latin.encode("latin-1"))
    (inbox / "ascii.sql").write_bytes(latin.replace("LATIN1", "SQL_ASCII").encode("latin-1"))
    await run_plain(live, programs / "psql", inbox / "latin.sql")
    assert rows(live, "SELECT a, getdatabaseencoding() FROM t") == [("Zoë", "UTF8")]
    await restores.run(asked(inbox / "ascii.sql", new_database="as_it_is"), "", no_report)
    there = live.with_parameters(dbname="as_it_is")
    kept = "SELECT a::bytea, getdatabaseencoding()::bytea FROM t"
    assert rows(there, kept) == [("Zoë".encode("latin-1"), b"SQL_ASCII")]


async def test_an_archive_whose_lists_lead_to_other_files_is_refused(restores, live, dumps, inbox):
    """pg_restore opens the files that these lists name, and would read them into the database."""
    before = databases(live)
    archive = (dumps / "tar").read_bytes()
    name = b"blob_77.dat\n"
    assert archive.count(b"77 " + name) == 1
    (inbox / "list.tar").write_bytes(archive.replace(b"77 " + name, b"77 /etc/hostnm\n"))
    with pytest.raises(DumpUnreadable, match="list of large objects names a file"):
        await restores.run(asked(inbox / "list.tar"), "", no_report)
    text = re.search(
        rb"\x00\x08\x00\x00\x00(\d{4}\.dat)", archive
    )  # as the table of contents has it
    assert text is not None
    start, end = text.span(1)
    (inbox / "table.tar").write_bytes(archive[:start] + b"../../pg" + archive[end:])
    with pytest.raises(DumpUnreadable, match=r"names a file that no dump has: .\.\./\.\./pg"):
        await restores.run(asked(inbox / "table.tar"), "", no_report)
    assert databases(live) == before
    # Also where the file took the place of another one behind the look at it.
    body = (inbox / "table.tar").read_bytes()
    into = FileRestore(
        form=FileForm.TAR,
        sha256=hashlib.sha256(body).hexdigest(),
        database="main",
        conninfo=live.conninfo,
        program="/nowhere/pg_restore",
        arguments=(),
        settings={},
        own_key="",
        leaves_setting_out=False,
        list_file="",
        role_map={},
        staging=str(inbox),
        reserve_bytes=0,
    )
    with pytest.raises(DumpUnreadable, match="names a file that no dump has"):
        await DumpFileWorker(job_for(inbox / "table.tar", into), lambda _: None).run()


async def test_a_user_with_few_rights_bounds_what_the_sql_of_a_dump_may_do(
    live, inbox, folder, dumps
):
    user, marker = f"few_{secrets.token_hex(4)}", inbox / "marker"
    run(live, f"CREATE ROLE {user} LOGIN CREATEDB PASSWORD 'few-rights'")
    path = inbox / "program.sql"
    text = f"CREATE TABLE t (a text);\nCOPY t FROM PROGRAM 'touch {marker}';\n"
    path.write_text(f"{HEAD}{text}{END}")
    store = FolderStore(folder / "repository")
    (folder / "writer").mkdir()
    lease = await WriterLease.acquire(store, folder / "writer")
    finder = DumpFileFinder(DumpPlaces([DumpRoot(str(inbox)), DumpRoot(str(dumps))]))
    target = live.with_parameters(user=user, password="few-rights")
    settings = RestoreSettings(staging_dir=folder, reserve_bytes=1 << 20)
    turns = Turns(store, lease, "restores")
    restores = Restores({"main": target}, finder, UnfinishedRestores(store), turns, settings)
    try:
        plan = await restores.plan(asked(path))
        assert (
            plan.not_proven[-1]
            == f"its SQL runs as {user!r}, with all of this user's rights on the server"
        )
        with pytest.raises(
            DatabaseRefused, match=r"line 6 .*permission denied to COPY .* external program"
        ):
            await restores.run(asked(path), "", no_report)
        assert not marker.exists()
        archive = asked(dumps / "custom", roles=RestoreRoles.IGNORE)
        check(live, await restores.run(archive, "", no_report))
    finally:
        await lease.close()
        owned = "SELECT datname FROM pg_database WHERE pg_get_userbyid(datdba) = '" + user + "'"
        for (name,) in rows(live, owned):
            run(live, f'DROP DATABASE "{name}"')
        run(live, f"DROP ROLE {user}")
