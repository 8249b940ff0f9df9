"""What a restore compares beside rows: what it lost is named before anybody uses it, and nothing else is."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from stewardd.backup.asked import BackupAsked
from stewardd.backup.backups import Backups
from stewardd.backup.keys.keyring import KeyOptions, Keyring, open_keyring
from stewardd.backup.manifest.backup import DumpForm, select
from stewardd.backup.options import BackupOptions
from stewardd.backup.restoring.documents import RestoreMade, RestoreStanding
from stewardd.backup.restoring.found_backup import BackupFinder
from stewardd.backup.restoring.request import RestoreMode, RestoreRequest, RestoreRoles
from stewardd.backup.restoring.restores import Restores, RestoreSettings
from stewardd.backup.restoring.unfinished import UnfinishedRestores
from stewardd.errors import RestoreDiffers
from stewardd.postgres.target import DatabaseTarget
from stewardd.repository.backend.folder.store import FolderStore
from stewardd.repository.lease import WriterLease
from stewardd.repository.turns import Turns

from tests.support.campaigns import FULL
from tests.support.sql import databases, run

OWNER, READER, OTHER = (f"{name}_{secrets.token_hex(4)}" for name in ("owner", "reader", "other"))
DATA = f"""
CREATE TABLE people (id int PRIMARY KEY, name text CHECK (name <> ''));
INSERT INTO people SELECT n, 'Zoë' FROM generate_series(1, 20) n;
CREATE TABLE notes (id serial PRIMARY KEY, person int REFERENCES people, body text DEFAULT 'x');
INSERT INTO notes (person) SELECT n FROM generate_series(1, 20) n;
CREATE INDEX notes_person ON notes (person);
CREATE VIEW elders AS SELECT * FROM people WHERE id < 10;
CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER note BEFORE UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION noted();
CREATE TABLE bin (id int);
CREATE RULE keep AS ON DELETE TO people WHERE old.id < 0 DO ALSO DELETE FROM bin;
CREATE SCHEMA shop;
CREATE TABLE shop.orders (id int PRIMARY KEY, person int REFERENCES people);
CREATE VIEW shop.open AS SELECT id FROM shop.orders;
SELECT lo_from_bytea(4711, '\\xcafe');
ALTER TABLE notes OWNER TO {OWNER};
GRANT SELECT ON notes, people TO {READER};
GRANT INSERT ON notes TO {OTHER} WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {READER};
ALTER TABLE people ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON people TO {READER}, {OTHER} USING (id > 3);
"""
# Of a server that was in use: none of it is a difference.
IN_USE = f"""
CREATE TABLE later (id serial);
SELECT lo_from_bytea(4712, '');
GRANT ALL ON SCHEMA public TO {OTHER};
REVOKE USAGE ON SCHEMA public FROM PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT INSERT ON TABLES TO {OTHER};
"""


@dataclass(frozen=True)
class Restoring:
    """Restores of one backup over a live database."""

    restores: Restores
    backup_id: str
    live: DatabaseTarget

    async def run(self, during: str = "", **asked: object) -> RestoreMade:
        """A restore; `during` is run in its target when it begins to compare."""

        def hear(standing: RestoreStanding) -> None:
            if during and standing.stage.value == "COMPARING" and not standing.compared_tables:
                run(self.live.with_parameters(dbname=standing.target), during)

        request = replace(RestoreRequest(self.backup_id), **asked)  # type: ignore[arg-type]
        confirm = self.live.database if request.replaces_live else ""
        return await self.restores.run(request, confirm, hear)


@pytest.fixture(scope="module")
def source(embedded_server) -> Iterator[DatabaseTarget]:
    admin = embedded_server.target("admin")
    target = embedded_server.target("main", f"source_{secrets.token_hex(4)}")
    for role in (OWNER, READER, OTHER):
        run(admin, f"CREATE ROLE {role}")
    run(admin, f"CREATE DATABASE {target.database}")
    run(target, DATA)
    yield target
    run(admin, f"DROP DATABASE {target.database} WITH (FORCE)")
    for role in (OWNER, READER, OTHER):
        run(admin, f"DROP ROLE {role}")


@pytest.fixture(scope="module")
def stored(source: DatabaseTarget, session_folder: Path) -> tuple[FolderStore, Keyring, str]:
    home = session_folder / f"compared-{secrets.token_hex(4)}"
    home.mkdir()
    store, keyring = FolderStore(home / "repository"), open_keyring(KeyOptions(home / "keys"))

    async def back_up() -> str:
        lease = await WriterLease.acquire(store, home)
        options = BackupOptions(store_url=str(store.root), reserve_bytes=0)
        backups = Backups(store, lease, {"main": source}, keyring, options)
        asked = BackupAsked(form=DumpForm.DIRECTORY)
        made = await backups.create("main", "", lambda _: None, asked=asked)
        await lease.close()
        return made.backup_id

    return store, keyring, asyncio.run(back_up())


@pytest.fixture
async def restoring(source, stored, folder: Path, embedded_server):
    store, keyring, backup_id = stored
    admin = embedded_server.target("admin")
    live = embedded_server.target("main", f"live_{secrets.token_hex(4)}")
    before = databases(admin)
    run(admin, f"CREATE DATABASE {live.database} TEMPLATE {source.database}")
    lease = await WriterLease.acquire(store, folder)
    finder = BackupFinder(store, str(store.root), {}, keyring, None, folder)
    settings = RestoreSettings(staging_dir=folder, reserve_bytes=1 << 20)
    turns = Turns(store, lease, "restores")
    restores = Restores({"main": live}, finder, UnfinishedRestores(store), turns, settings)
    yield Restoring(restores, backup_id, live)
    await lease.close()
    for name in databases(admin) - before:
        run(admin, f'DROP DATABASE "{name}" WITH (FORCE)')


LOSSES = {
    "SELECT setval('notes_id_seq', 7)": "stands at 7, and was dumped at 20",
    "SELECT lo_unlink(4711)": "there are 0 large objects, and 1 were dumped",
    "DROP VIEW elders": "view public.elders is missing",
    "DROP TRIGGER note ON notes": "trigger public.notes.note is missing",
    f"REVOKE SELECT ON people FROM {READER}": (
        f"table public.people: its grants is nothing, and should be ['{READER}: SELECT']"
    ),
}


async def test_nothing_takes_the_live_databases_place_that_lost_something_beside_rows(restoring):
    before = databases(restoring.live)
    with pytest.raises(RestoreDiffers) as differs:
        await restoring.run(";".join(LOSSES), mode=RestoreMode.SWAP)
    *said, end = differs.value.message.split("; ")
    assert end == "the restored database was removed, and the live one was not touched"
    assert len(said) == len(LOSSES)
    for words in LOSSES.values():
        assert any(words in each for each in said)
    assert databases(restoring.live) == before


async def test_what_a_server_in_use_has_besides_is_no_difference_in_place(restoring):
    run(restoring.live, IN_USE)
    run(restoring.live, "DELETE FROM notes; DROP VIEW elders; DROP INDEX notes_person")
    made = await restoring.run(mode=RestoreMode.IN_PLACE)
    assert (made.compared_tables, made.not_compared) == (4, ())


async def test_of_tables_what_comes_back_is_compared_and_nothing_beside_it(restoring):
    """In place, where all else has changed; and in a new database, where all else is missing."""
    chosen = select(tables=["public.people", "public.notes"])
    run(restoring.live, IN_USE)
    run(
        restoring.live,
        "SELECT setval('notes_id_seq', 7); ALTER TABLE bin ADD added int; SELECT lo_unlink(4711);"
        "DROP TABLE shop.orders CASCADE; DROP VIEW elders; ALTER FUNCTION noted() IMMUTABLE",
    )
    await restoring.run(selection=chosen, mode=RestoreMode.IN_PLACE)
    losses = "DROP POLICY own ON people; DROP INDEX notes_person; SELECT setval('notes_id_seq', 7)"
    with pytest.raises(RestoreDiffers) as differs:
        await restoring.run(losses, selection=chosen)
    *said, _ = differs.value.message.split("; ")
    assert [each.partition(" ")[0] for each in said] == ["sequence", "index", "policy"]


async def test_of_a_schema_all_that_stands_in_it_is_compared(restoring):
    with pytest.raises(RestoreDiffers) as differs:
        await restoring.run("DROP VIEW shop.open", selection=select(schemas=["shop"]))
    assert differs.value.message.startswith("view shop.open is missing; the restored database")


@pytest.mark.parametrize(
    "roles",
    [
        {READER: OWNER, OTHER: "pg_monitor"},
        *([{OWNER: "pg_monitor", READER: OTHER, OTHER: READER}] if FULL else []),
        *([{READER: "pg_monitor", OTHER: "pg_monitor"}] if FULL else []),
    ],
    ids=["to one of the dump", "in each other's place", "two to one"][: 3 if FULL else 1],
)
async def test_mapped_roles_are_no_difference(restoring, roles):
    made = await restoring.run(role_map=roles)
    assert made.compared_tables == 4


async def test_rights_that_are_mapped_are_compared_and_those_that_are_left_out_are_not(restoring):
    revoke = "REVOKE INSERT ON notes FROM pg_monitor"
    with pytest.raises(
        RestoreDiffers, match=r"^table public\.notes: its grants is .*; the restored"
    ):
        await restoring.run(revoke, role_map={OTHER: "pg_monitor"})
    await restoring.run(revoke, roles=RestoreRoles.IGNORE)
