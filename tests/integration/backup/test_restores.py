"""Restores on a real server: into a new database, in the place of the live one, in place, in part, with other roles."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from stewardd.backup.asked import BackupAsked
from stewardd.backup.backups import Backups
from stewardd.backup.keys.keyring import KeyOptions, Keyring, open_keyring
from stewardd.backup.manifest.backup import DumpForm, select
from stewardd.backup.options import BackupOptions
from stewardd.backup.restoring.documents import RestoreStanding
from stewardd.backup.restoring.found_backup import BackupFinder
from stewardd.backup.restoring.request import RestoreMode, RestoreRequest, RestoreRoles
from stewardd.backup.restoring.restores import Restores, RestoreSettings
from stewardd.backup.restoring.unfinished import (
    UnfinishedRestore,
    UnfinishedRestores,
    comment_of,
)
from stewardd.errors import (
    ConfirmationDiffers,
    DatabaseInUse,
    RestoreDiffers,
    RestoreInProgress,
    RolesMissing,
    TargetIsSource,
    TargetNotEmpty,
)
from stewardd.postgres.target import DatabaseTarget
from stewardd.repository.backend.folder.store import FolderStore
from stewardd.repository.lease import WriterLease
from stewardd.repository.turns import Turns

from tests.support.sql import databases, rows, run

FORMS = pytest.mark.parametrize("form", list(DumpForm), ids=[each.value for each in DumpForm])
ROWS = 500
OWNER = f'Odd "owner" {secrets.token_hex(4)}'
QUOTED = sql.Identifier(OWNER).as_string(None)
DATA = (
    "CREATE TABLE people (id int PRIMARY KEY, name text NOT NULL, born date)",
    "INSERT INTO people SELECT n, 'Zoë ' || n || E'\\t\\\\ \\n', date '1950-01-01' + n FROM generate_series(1, 50) n",
    "CREATE TABLE notes (id bigserial PRIMARY KEY, person int REFERENCES people, body text, extra jsonb)",
    f"""INSERT INTO notes (person, body, extra) SELECT 1 + n % 50, md5(n::text), jsonb_build_object('n', n)
    FROM generate_series(1, {ROWS}) n""",
    "CREATE TABLE empty (x numeric(12, 3), y bytea)",
    "CREATE VIEW elders AS SELECT * FROM people WHERE born < '1951-01-01'",
    "CREATE INDEX notes_person ON notes (person)",
    "COMMENT ON TABLE notes IS 'kept'",
    "CREATE SCHEMA shop",
    "CREATE TYPE mood AS ENUM ('good', 'bad')",
    "CREATE TABLE shop.orders (id int PRIMARY KEY, mood mood, person int REFERENCES people)",
    "INSERT INTO shop.orders VALUES (1, 'good', 7)",
)
OWNED = (
    f"CREATE ROLE {QUOTED}",
    "CREATE TABLE people (id int)",
    "CREATE TABLE empty (n int)",
    f"ALTER TABLE empty OWNER TO {QUOTED}",
    f"GRANT SELECT ON people TO {QUOTED}",
    f"ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {QUOTED}",
    "ALTER TABLE people ENABLE ROW LEVEL SECURITY",
    f"CREATE POLICY mine ON people TO {QUOTED} USING (id > 3)",
)


def no_report(_: RestoreStanding) -> None:
    """For a restore whose progress nobody asks for."""


@dataclass
class World:
    """A repository with backups of two databases: `plain`, and `owned` by a role that is gone from the server."""

    folder: Path
    store: FolderStore
    keyring: Keyring
    plain: DatabaseTarget
    owned: DatabaseTarget
    backups: dict[tuple[str, DumpForm], RestoreRequest]

    def request(self, name: str, form: DumpForm) -> RestoreRequest:
        return self.backups[name, form]


@pytest.fixture(scope="module")
def world(embedded_server, session_folder) -> Iterator[World]:
    folder = session_folder / "restores"
    folder.mkdir()
    plain, owned = (
        embedded_server.target(name, f"template_{name}_{secrets.token_hex(4)}")
        for name in ("plain", "owned")
    )
    admin = embedded_server.target("admin")
    for target, statements in ((plain, DATA), (owned, OWNED)):
        run(admin, f'CREATE DATABASE "{target.database}"')
        run(target, *statements)
    store, keyring = FolderStore(folder / "repository"), open_keyring(KeyOptions(folder / "keys"))
    made = World(folder, store, keyring, plain, owned, {})
    asyncio.run(_back_up(made))
    run(owned, f"DROP OWNED BY {QUOTED} CASCADE", f"DROP ROLE {QUOTED}")
    yield made
    for target in (plain, owned):
        run(admin, f'DROP DATABASE "{target.database}" WITH (FORCE)')


async def _back_up(world: World) -> None:
    home = world.folder / "writer"
    home.mkdir()
    lease = await WriterLease.acquire(world.store, home)
    options = BackupOptions(store_url=str(world.store.root), segment_bytes=1 << 18, reserve_bytes=0)
    targets = {"plain": world.plain, "owned": world.owned}
    try:
        backups = Backups(world.store, lease, targets, world.keyring, options)
        for name in targets:
            for form in DumpForm:
                asked = BackupAsked(form=form)
                made = await backups.create(name, "", lambda _: None, asked=asked)
                world.backups[name, form] = RestoreRequest(made.backup_id, database="main")
    finally:
        await lease.close()


@pytest.fixture
def live(world: World, embedded_server) -> Iterator[DatabaseTarget]:
    """The live database as it was when it was backed up; what a test makes beside it is removed."""
    target = embedded_server.target("main", f"live_{secrets.token_hex(4)}")
    admin = embedded_server.target("admin")
    before = databases(admin)
    run(admin, f'CREATE DATABASE "{target.database}" TEMPLATE "{world.plain.database}"')
    yield target
    for name in databases(admin) - before:
        run(admin, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
async def restores(world: World, live: DatabaseTarget, folder: Path):
    lease = await WriterLease.acquire(world.store, folder)
    finder = BackupFinder(world.store, str(world.store.root), {}, world.keyring, None, folder)
    settings = RestoreSettings(staging_dir=folder, reserve_bytes=1 << 20, lock_timeout_s=1.0)
    unfinished, turns = UnfinishedRestores(world.store), Turns(world.store, lease, "restores")
    yield Restores({"main": live}, finder, unfinished, turns, settings)
    await lease.close()


@pytest.fixture
def request_of(world: World):
    def find(form: DumpForm = DumpForm.CUSTOM, **changes: Any) -> RestoreRequest:
        return replace(world.request("plain", form), **changes)

    return find


@FORMS
async def test_a_backup_comes_back_in_a_new_database_and_the_live_one_is_left_alone(
    restores, request_of, live, form
):
    request = request_of(form)
    run(live, "DELETE FROM notes WHERE id <= 10")
    told: list[RestoreStanding] = []
    made = await restores.run(request, "", told.append)
    restored = live.with_parameters(dbname=made.target)
    assert made.target.startswith(f"{live.database}_restored_")
    assert rows(restored, "SELECT count(*), sum(id) FROM notes") == [(ROWS, ROWS * (ROWS + 1) // 2)]
    assert rows(live, "SELECT count(*) FROM notes") == [(ROWS - 10,)]
    assert (made.compared_tables, made.compared_rows) == (4, ROWS + 51)
    assert made.not_compared == ()
    assert list(dict.fromkeys(each.stage.value for each in told)) == ["RESTORING", "COMPARING"]
    assert told[-1].compared_tables == told[-1].total_tables == 4


async def test_a_restored_database_takes_the_place_of_the_live_one_with_its_settings_and_rights(
    restores, request_of, live
):
    name, role = live.database, f"reader_{secrets.token_hex(4)}"
    admin = live.with_parameters(dbname="postgres")
    run(
        admin,
        f"CREATE ROLE {role}",
        f'ALTER DATABASE "{name}" SET search_path TO "$user", "odd, name", public',
        f"ALTER DATABASE \"{name}\" SET work_mem TO '7MB'",
        f"ALTER ROLE {role} IN DATABASE \"{name}\" SET statement_timeout TO '3s'",
        f'REVOKE CONNECT ON DATABASE "{name}" FROM PUBLIC',
        f'GRANT CONNECT ON DATABASE "{name}" TO {role} WITH GRANT OPTION',
        f'ALTER DATABASE "{name}" CONNECTION LIMIT 17',
        f"COMMENT ON DATABASE \"{name}\" IS 'it''s the one'",
    )
    described = (
        "SELECT datconnlimit, shobj_description(oid, 'pg_database'), pg_get_userbyid(datdba),"
        " (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(datacl) a),"
        " (SELECT array_agg(setrole::text || array_to_string(setconfig, ';') ORDER BY setrole)"
        "  FROM pg_db_role_setting WHERE setdatabase = d.oid) FROM pg_database d WHERE datname = %s"
    )
    before = rows(admin, described, name)
    assert '"$user", "odd, name", public' in str(before)
    run(live, "DROP TABLE public.notes CASCADE")
    made = await restores.run(request_of(mode=RestoreMode.SWAP), name, no_report)
    assert made.target == name
    assert rows(admin, described, name) == before
    assert rows(live, "SELECT count(*) FROM public.notes") == [(ROWS,)]
    kept = live.with_parameters(dbname=made.kept)
    assert rows(kept, "SELECT to_regclass('public.notes')") == [(None,)]
    run(admin, f'DROP DATABASE "{name}"', f'DROP DATABASE "{made.kept}"', f"DROP ROLE {role}")


async def test_live_sessions_are_ended_only_where_that_is_asked(restores, request_of, live):
    request = replace(request_of(), mode=RestoreMode.SWAP)
    with psycopg.connect(live.conninfo) as session:
        plan = await restores.plan(request)
        assert (plan.sessions, [type(each) for each in plan.blockers]) == (1, [DatabaseInUse])
        with pytest.raises(DatabaseInUse, match="1 sessions of others"):
            await restores.run(request, live.database, no_report)
        assert session.execute("SELECT 1").fetchone() == (1,)
        session.rollback()
        made = await restores.run(replace(request, ends_sessions=True), live.database, no_report)
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")
    assert {live.database, made.kept} <= databases(live)


async def test_a_session_that_comes_late_keeps_the_live_database_and_the_restored_one(
    restores, request_of, live
):
    request = replace(request_of(), mode=RestoreMode.SWAP)
    late: list[psycopg.Connection] = []

    def connect_at_the_end(standing: RestoreStanding) -> None:
        if standing.stage.value == "SWAPPING" and not late:
            late.append(psycopg.connect(live.conninfo))

    try:
        with pytest.raises(DatabaseInUse, match="the restored database is kept as") as refused:
            await restores.run(request, live.database, connect_at_the_end)
    finally:
        for each in late:
            each.close()
    kept = refused.value.message.rpartition("'")[0].rpartition("'")[2]
    assert rows(live.with_parameters(dbname=kept), "SELECT count(*) FROM notes") == [(ROWS,)]
    assert rows(live, "SELECT count(*) FROM notes") == [(ROWS,)]


@FORMS
async def test_in_place_everything_comes_back_in_one_transaction(restores, request_of, live, form):
    request = replace(request_of(form), mode=RestoreMode.IN_PLACE)
    run(live, "DELETE FROM notes", "ALTER TABLE people ADD COLUMN added int", "DROP VIEW elders")
    made = await restores.run(request, live.database, no_report)
    assert (made.target, made.kept) == (live.database, "")
    assert rows(live, "SELECT count(*) FROM notes") == [(ROWS,)]
    assert rows(live, "SELECT count(*) FROM elders") != [(0,)]
    with pytest.raises(psycopg.errors.UndefinedColumn):
        rows(live, "SELECT added FROM people")


async def test_in_place_nothing_changes_where_something_depends_on_what_would_be_dropped(
    restores, request_of, live
):
    request = replace(request_of(), mode=RestoreMode.IN_PLACE)
    run(live, "DELETE FROM notes WHERE id > 5", "CREATE VIEW mine AS SELECT body FROM notes")
    with pytest.raises(Exception, match=r"cannot drop table public\.notes"):
        await restores.run(request, live.database, no_report)
    assert rows(live, "SELECT count(*) FROM notes") == [(5,)]
    assert rows(live, "SELECT count(*) FROM mine") == [(5,)]


async def test_in_place_it_waits_for_a_lock_no_longer_than_is_set(restores, request_of, live):
    request = replace(request_of(), mode=RestoreMode.IN_PLACE)
    with psycopg.connect(live.conninfo, application_name="importer") as session:
        session.execute("LOCK TABLE people IN ACCESS SHARE MODE")
        with pytest.raises(DatabaseInUse, match=r"waited 1 s for tables .* held by importer"):
            await restores.run(request, live.database, no_report)
        session.execute("SELECT 1")
        made = await restores.run(replace(request, ends_sessions=True), live.database, no_report)
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")
    assert made.compared_tables == 4


@FORMS
async def test_a_dropped_table_comes_back_in_place_with_all_that_belongs_to_it(
    restores, request_of, live, form
):
    request = request_of(form)
    run(live, "DROP TABLE notes", "UPDATE people SET name = 'changed'")
    made = await restores.run(
        replace(request, mode=RestoreMode.IN_PLACE, selection=select(tables=["public.notes"])),
        live.database,
        no_report,
    )
    assert (made.compared_tables, made.left_out) == (1, ("public.notes notes_person_fkey",))
    assert rows(live, "SELECT count(*), max(id) FROM notes") == [(ROWS, ROWS)]
    assert rows(live, "INSERT INTO notes DEFAULT VALUES RETURNING id") == [(ROWS + 1,)]
    assert rows(live, "SELECT obj_description('notes'::regclass)") == [("kept",)]
    assert rows(live, "SELECT to_regclass('notes_person')::text") == [("notes_person",)]
    assert rows(live, "SELECT count(*) FROM people WHERE name = 'changed'") == [(50,)]


async def test_a_chosen_schema_comes_back_in_a_new_database_with_what_it_needs(
    restores, request_of, live
):
    request = request_of(selection=select(schemas=["shop"]))
    plan = await restores.plan(request)
    assert (plan.dump.tables, plan.dump.rows) == (1, 1)
    made = await restores.run(request, "", no_report)
    restored = live.with_parameters(dbname=made.target)
    assert rows(restored, "SELECT * FROM shop.orders") == [(1, "good", 7)]
    assert made.left_out == ("shop.orders orders_person_fkey",)
    assert rows(restored, "SELECT to_regclass('people')") == [(None,)]


RIGHTS = """
SELECT (SELECT tableowner FROM pg_tables WHERE tablename = 'empty'), has_table_privilege(%s, 'people', 'SELECT'),
       (SELECT roles::text[] FROM pg_policies WHERE policyname = 'mine')
"""


@FORMS
async def test_missing_roles_are_named_first_and_made_or_mapped_or_left_out_as_chosen(
    restores, world, live, form
):
    request = world.request("owned", form)
    before = databases(live)
    assert (await restores.plan(request)).missing_roles == (OWNER,)
    with pytest.raises(RolesMissing, match=OWNER):
        await restores.run(request, "", no_report)
    assert databases(live) == before

    mapped = await restores.run(replace(request, role_map={OWNER: "pg_monitor"}), "", no_report)
    there = live.with_parameters(dbname=mapped.target)
    assert rows(there, RIGHTS, "pg_monitor") == [("pg_monitor", True, ["pg_monitor"])]

    created = await restores.run(
        replace(request, roles=RestoreRoles.CREATE, new_database="with_roles"), "", no_report
    )
    there = live.with_parameters(dbname="with_roles")
    try:
        assert created.created_roles == (OWNER,)
        assert rows(there, RIGHTS, OWNER) == [(OWNER, True, [OWNER])]
        may_log_in = "SELECT rolcanlogin FROM pg_roles WHERE rolname = %s"
        assert rows(there, may_log_in, OWNER) == [(False,)]
    finally:
        run(live, 'DROP DATABASE "with_roles"', f"DROP ROLE {QUOTED}")


async def test_roles_that_were_made_go_again_where_the_restore_fails(restores, world, live):
    def fail(standing: RestoreStanding) -> None:
        if standing.stage.value == "COMPARING":
            run(live.with_parameters(dbname=standing.target), "INSERT INTO people VALUES (1)")

    request = replace(world.request("owned", DumpForm.CUSTOM), roles=RestoreRoles.CREATE)
    with pytest.raises(RestoreDiffers, match="has 1 rows, and 0 were dumped"):
        await restores.run(request, "", fail)
    assert rows(live, "SELECT count(*) FROM pg_roles WHERE rolname = %s", OWNER) == [(0,)]


async def test_without_roles_all_belongs_to_the_daemons_user_save_what_a_policy_names(
    restores, world, live
):
    request = replace(world.request("owned", DumpForm.CUSTOM), roles=RestoreRoles.IGNORE)
    with pytest.raises(RolesMissing, match=OWNER):
        await restores.run(request, "", no_report)
    made = await restores.run(
        replace(request, selection=select(tables=["public.empty"])), "", no_report
    )
    owner = "SELECT tableowner = current_user FROM pg_tables WHERE tablename = 'empty'"
    assert rows(live.with_parameters(dbname=made.target), owner) == [(True,)]


async def test_what_would_hurt_is_refused_before_anything_begins(restores, request_of, live):
    name, before = live.database, databases(live)
    other = f"full_{secrets.token_hex(4)}"
    run(live, f'CREATE DATABASE "{other}"')
    run(live.with_parameters(dbname=other), "CREATE TABLE something (n int)")
    swap, in_place = RestoreMode.SWAP, RestoreMode.IN_PLACE
    refused: list[tuple[RestoreRequest, str, type[Exception]]] = [
        (request_of(mode=swap), "", ConfirmationDiffers),
        (request_of(mode=in_place), "", ConfirmationDiffers),
        (request_of(mode=in_place), name.upper(), ConfirmationDiffers),
        (request_of(), name, ConfirmationDiffers),
        (request_of(new_database=name), "", TargetIsSource),
        (request_of(new_database=other), "", TargetNotEmpty),
    ]
    for asked, confirm, error in refused:
        with pytest.raises(error):
            await restores.run(asked, confirm, no_report)
    assert databases(live) == before | {other}
    assert rows(live, "SELECT count(*) FROM notes") == [(ROWS,)]


async def test_an_empty_database_that_is_there_is_restored_into(restores, request_of, live):
    name = f"ready_{secrets.token_hex(4)}"
    run(live, f'CREATE DATABASE "{name}" TEMPLATE template0')
    made = await restores.run(replace(request_of(), new_database=name), "", no_report)
    assert made.target == name
    with pytest.raises(TargetNotEmpty):
        await restores.run(replace(request_of(), new_database=name), "", no_report)


async def test_two_restores_into_one_database_are_told_apart(restores, request_of, live):
    request = replace(request_of(), new_database=f"once_{secrets.token_hex(4)}")
    seen: list[Exception] = []

    async def second() -> None:
        try:
            await restores.run(request, "", no_report)
        except RestoreInProgress as error:
            seen.append(error)

    tasks: list[asyncio.Task[None]] = []

    def report(standing: RestoreStanding) -> None:
        if not tasks:
            tasks.append(asyncio.create_task(second()))

    await restores.run(request, "", report)
    await asyncio.gather(*tasks)
    assert len(seen) == 1


async def test_what_a_failed_restore_made_is_removed(restores, request_of, live):
    request = request_of()
    before = databases(live)

    def fail(standing: RestoreStanding) -> None:
        if standing.stage.value == "COMPARING":
            run(live.with_parameters(dbname=standing.target), "DELETE FROM notes WHERE id = 3")

    with pytest.raises(
        Exception, match=r'table "?public"?\."?notes"? has 499 rows, and 500 were dumped'
    ):
        await restores.run(request, "", fail)
    assert databases(live) == before


async def test_what_a_dead_daemon_left_is_removed_and_nothing_else(restores, world, live):
    unfinished = UnfinishedRestores(world.store)
    names = [f"left_{secrets.token_hex(4)}" for _ in range(3)]
    for name in names:
        run(live, f'CREATE DATABASE "{name}"')
    mine, others, finished = names
    tokens = {
        name: await unfinished.begin(UnfinishedRestore(datetime.now(UTC), "main", name))
        for name in (mine, finished, "never made")
    }
    run(
        live,
        f"COMMENT ON DATABASE \"{mine}\" IS '{comment_of(tokens[mine])}'",
        f"COMMENT ON DATABASE \"{others}\" IS '{comment_of(str(uuid4()))}'",
        f"COMMENT ON DATABASE \"{finished}\" IS 'restored from backups/1'",
    )
    await restores.clear()
    assert mine not in databases(live)
    assert {others, finished} <= databases(live)
    assert await unfinished.all() == {}


async def test_a_restore_that_goes_on_is_not_taken_for_one_that_was_left(
    restores, world, request_of, live
):
    cleared: list[asyncio.Task[None]] = []

    def clear(standing: RestoreStanding) -> None:
        if standing.stage.value == "RESTORING" and not cleared:
            cleared.append(asyncio.create_task(restores.clear()))

    made = await restores.run(request_of(), "", clear)
    await asyncio.gather(*cleared)
    assert made.target in databases(live)
    assert await UnfinishedRestores(world.store).all() == {}
