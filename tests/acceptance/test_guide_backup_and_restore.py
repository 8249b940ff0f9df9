"""docs/guides/backup-and-restore.md, executed as it stands there; what a scenario is about, the test loses first."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from stewardd.postgres.binaries import wheel_folder

from tests.support.guides import DOCS, Walk, sections, steps

PAGE = "guides/backup-and-restore.md"
SET_UP = ["Keys", "The first backup"]
PAGE_BYTES = 8192  # of PostgreSQL
TESTED = list(SET_UP)


def of_section(heading: str) -> pytest.MarkDecorator:
    """Marks the test of a section."""
    TESTED.append(heading)
    return pytest.mark.parametrize("heading", [heading])


class Library(Walk):
    """The walk, with the database that the page fills."""

    def walk(self, heading: str) -> str:
        """Does what a section says, and returns what its commands printed."""
        done = self.through_section(PAGE, heading)
        return "".join(each.stdout + each.stderr for each in done)

    def query(self, statement: str, database: str = "steward") -> list[tuple[Any, ...]]:
        service = (self.folder / "data/pg_service.conf").read_text()
        parameters = dict(line.split("=", 1) for line in service.splitlines() if "=" in line)
        conninfo = make_conninfo("", **{**parameters, "dbname": database})
        with psycopg.connect(conninfo, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def held(self) -> list[tuple[Any, ...]]:
        """Every value of the database, and who may read it."""
        return [
            *self.query("SELECT * FROM members ORDER BY id"),
            *self.query(
                "SELECT count(*), md5(string_agg(loans::text, '' ORDER BY book)) FROM loans"
            ),
            *self.query(
                "SELECT count(*), md5(string_agg(visits::text, '' ORDER BY day)) FROM visits"
            ),
            *self.query(
                """SELECT conname FROM pg_constraint
                WHERE connamespace = 'public'::regnamespace AND contype <> 'n' ORDER BY 1"""
            ),
            *self.query("SELECT has_table_privilege('librarian', 'loans', 'SELECT')"),
        ]

    def databases(self) -> list[str]:
        return [name for (name,) in self.query("SELECT datname FROM pg_database ORDER BY 1")]


@pytest.fixture(scope="module")
def library(session_folder: Path) -> Iterator[Library]:
    """The library, with one backup that is verified and copied."""
    programs = wheel_folder()
    assert programs is not None
    walk = Library(
        session_folder / "guide-backup-and-restore",
        environment={"PGSERVICEFILE": "data/pg_service.conf"},
        path=(programs,),
    )
    walk.folder.mkdir(mode=0o711)
    try:
        for heading in SET_UP:
            walk.through_section(PAGE, heading)
        yield walk
    finally:
        walk.close()


@pytest.fixture(scope="module")
def at_first(library: Library) -> list[tuple[Any, ...]]:
    return library.held()


def test_the_first_backup_is_verified_copied_and_shown(library):
    (verified,) = library.output("steward backup verify")
    assert re.search(r"^proof +verified$", verified, re.MULTILINE)
    (shown,) = library.output("steward backup show")
    assert "the whole database" in shown
    assert list(library.folder.glob("copies/backups/*/*/manifest.json"))


@of_section("Drills")
def test_a_drill_measures_the_restore_and_keeps_it(library, heading):
    assert library.walk(heading).count("Restored in") == 2


@of_section("A dropped table")
def test_a_dropped_table_comes_back_in_the_live_database(library, at_first, heading):
    library.query("DROP TABLE loans")
    library.walk(heading)
    assert library.held() == at_first


@of_section("Wrong values in a table that is in use")
def test_wrong_values_are_mended_and_newer_rows_stay(library, at_first, heading):
    library.query("UPDATE members SET note = 'oops'")
    library.query("INSERT INTO members (name, note) VALUES ('Newer', 'mine')")
    library.walk(heading)
    assert library.query("DELETE FROM members WHERE name = 'Newer' RETURNING note") == [("mine",)]
    assert library.held() == at_first
    assert "beside" not in library.databases()


@of_section("A failed migration")
def test_the_backup_before_a_migration_takes_its_data_back(library, at_first, heading):
    library.walk(heading)
    assert library.held() == at_first
    (status,) = library.output("steward migrate status")
    assert "0 of 1, 1 to apply" in status
    (kept,) = [name for name in library.databases() if name.startswith("steward_before_")]
    assert library.query("SELECT max(length(name)) FROM members", kept) == [(1,)]
    library.query(f'DROP DATABASE "{kept}"')


@of_section("A corrupted database")
def test_a_damaged_page_is_found_by_a_backup_and_the_database_replaced(library, at_first, heading):
    library.query(
        "VACUUM FULL visits"
    )  # which writes past the buffers, so that the page is read from the disk
    library.query("CHECKPOINT")
    ((data, file),) = library.query(
        "SELECT current_setting('data_directory'), pg_relation_filepath('visits')"
    )
    with (Path(data) / file).open("r+b") as relation:
        relation.seek(PAGE_BYTES)
        relation.write(bytes(range(1, 255)))
    printed = library.walk(heading)
    assert "invalid page in block 1" in printed
    assert library.held() == at_first


@of_section("The repository is lost")
def test_backups_come_back_from_the_second_repository(library, heading):
    library.close()
    shutil.rmtree(library.folder / "data/repository")
    printed = library.walk(heading)
    assert "there is no backup yet" in printed
    manifests = library.folder.glob("data/repository/backups/*/*/manifest.json")
    assert library.names["backups"].removeprefix("backups/") in {
        each.parent.name for each in manifests
    }


@of_section("The host is lost")
def test_a_new_host_has_the_data_from_the_second_repository(library, at_first, heading):
    library.close()
    shutil.rmtree(library.folder / "data")
    for name in ("steward.toml", "backup-key.txt"):
        (library.folder / name).unlink()
    printed = library.walk(heading)
    assert "the server lacks the role librarian" in printed
    assert library.held() == at_first


@of_section("The private key is lost")
def test_without_the_key_old_backups_are_lost_and_the_database_is_backed_up_anew(library, heading):
    for file in ("backup-key.txt", "elsewhere/backup-key.txt"):
        (library.folder / file).unlink()
    printed = library.walk(heading)
    assert re.search(r"^proof +unverifiable$", printed, re.MULTILINE)
    assert "[KEY_MISSING]" in printed
    recipient = re.search(r"age1\w+", library.output("steward backup key generate new-key.txt")[0])
    assert recipient
    assert recipient[0] in library.output("steward backup create")[-1]


def test_every_section_with_commands_is_tested():
    page = sections((DOCS / PAGE).read_text())
    assert sorted(TESTED) == sorted(heading for heading, text in page.items() if list(steps(text)))
