"""Damage in the files of a database is found and named: a page, a row's header, an order that is no order any more."""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from stewardd.backup.verifying.source_check import SourceCheck, SourceChecks, SourceOutcome
from stewardd.postgres.scratch import ScratchServer
from stewardd.postgres.target import DatabaseTarget

from tests.support.scratch import scratch_server
from tests.support.sql import rows, run

BLOCK = 8192
DATA = """
CREATE EXTENSION amcheck;
CREATE TABLE people (id int PRIMARY KEY, name text);
INSERT INTO people SELECT n, md5(n::text) FROM generate_series(1, 2000) n;
CREATE INDEX by_name ON people (name);
CREATE FUNCTION ordered(int, int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 - $2';
CREATE OPERATOR CLASS mine FOR TYPE int USING btree AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=,
  OPERATOR 5 >, FUNCTION 1 ordered(int, int);
CREATE INDEX by_own_order ON people (id mine);
CREATE ROLE clerk LOGIN PASSWORD 'secret';
"""


@pytest.fixture(scope="module")
def server(session_folder: Path) -> Iterator[ScratchServer]:
    folder = Path(tempfile.mkdtemp(dir=session_folder))
    folder.chmod(0o711)
    with scratch_server(folder) as (server, runner):
        runner.run(server.create_database("original"))
        run(server.target("original"), DATA)
        yield server


@pytest.fixture
def copy(server: ScratchServer) -> Iterator[DatabaseTarget]:
    """A database whose files nobody has read yet."""
    admin = server.target("postgres")
    run(admin, "CREATE DATABASE copied TEMPLATE original STRATEGY file_copy")
    yield server.target("copied")
    run(admin, "DROP DATABASE copied WITH (FORCE)")


def file_of(server: ScratchServer, relation: str) -> Path:
    """The file of a relation of the copy, found without opening the copy."""
    where = (
        "SELECT current_setting('data_directory'), oid FROM pg_database WHERE datname = 'copied'"
    )
    ((folder, number),) = rows(server.target("postgres"), where)
    ((path,),) = rows(server.target("original"), f"SELECT pg_relation_filepath('{relation}')")
    return Path(str(folder), "base", str(number), Path(str(path)).name)


def write(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as stream:
        stream.seek(offset)
        stream.write(data)


async def checked(target: DatabaseTarget, **targets: DatabaseTarget) -> SourceCheck:
    checks = SourceChecks({"main": target, **targets}, jobs=2, max_duration_s=60.0)
    return await checks.run("main")


async def test_a_sound_database_is_sound(copy):
    found = await checked(copy)
    assert (found.outcome, found.detail, found.damages) == (SourceOutcome.SOUND, "", ())
    assert found.tables > 50
    assert found.indexes > 100


@pytest.mark.parametrize("relation", ["people", "by_name"])
async def test_a_changed_byte_of_a_file_is_found(server, copy, relation):
    write(file_of(server, relation), BLOCK + 5000, b"\xff")
    found = await checked(copy)
    assert (found.outcome, found.reason) == (SourceOutcome.DAMAGED, "DAMAGE")
    kind = "table" if relation == "people" else "index"
    assert any(
        each.startswith(f"{kind} public.{relation}: invalid page in block 1")
        for each in found.damages
    )


async def test_a_damaged_row_is_found_where_no_checksum_tells(server, copy):
    run(server.target("postgres"), "ALTER DATABASE copied SET ignore_checksum_failure = on")
    path = file_of(server, "people")
    (pointer,) = struct.unpack_from("<I", path.read_bytes(), 24)
    # The number of attributes in the first row's t_infomask2: nothing that reads the row believes it, so none crashes.
    write(path, (pointer & 0x7FFF) + 18, struct.pack("<H", 1000))
    found = await checked(copy)
    assert found.outcome is SourceOutcome.DAMAGED
    assert found.damages[0].startswith("table public.people: block 0, row 1: ")


async def test_an_index_whose_order_has_changed_is_found_and_nothing_else(copy):
    run(
        copy,
        "CREATE OR REPLACE FUNCTION ordered(int, int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $2 - $1'",
    )
    found = await checked(copy)
    assert found.outcome is SourceOutcome.DAMAGED
    assert len(found.damages) == 1
    assert found.damages[0].startswith("index public.by_own_order: item order invariant violated")
    assert found.detail == found.damages[0]


async def test_what_stands_in_the_way_is_named_and_condemns_nothing(copy):
    parts = {"user": "clerk", "password": "secret"}
    refused = await checked(copy.with_parameters(**parts))
    assert (refused.outcome, refused.reason) == (SourceOutcome.COULD_NOT_RUN, "DATABASE_REFUSED")
    assert "may not execute the functions of the extension amcheck" in refused.detail
    run(copy, "DROP EXTENSION amcheck")
    missing = await checked(copy)
    assert (missing.outcome, missing.reason) == (SourceOutcome.COULD_NOT_RUN, "AMCHECK_MISSING")
    assert "CREATE EXTENSION amcheck" in missing.detail
    down = await checked(copy.with_parameters(host="/nonexistent"))
    assert (down.outcome, down.reason) == (SourceOutcome.COULD_NOT_RUN, "DATABASE_DOWN")
    unknown = await SourceChecks({}, jobs=1, max_duration_s=1.0).run("other")
    assert (unknown.outcome, unknown.reason) == (SourceOutcome.COULD_NOT_RUN, "DATABASE_UNKNOWN")
