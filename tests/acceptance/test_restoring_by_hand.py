"""docs/restoring-by-hand.md, executed as it stands there, on what a real daemon stored in every form.

No daemon runs then. The older server is Debian's PostgreSQL with Debian's tools, where they are installed; the newer
one comes with a wheel.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import product, takewhile
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from steward_client import BackupOptions, Client
from steward_client.backups.words import BackupCompression, BackupForm
from stewardd.postgres.scratch import ScratchServer, ScratchServers

from tests.support.campaigns import FULL
from tests.support.daemon import Daemon
from tests.support.guides import DOCS, Command, File, Walk, command_lines, steps
from tests.support.versions import NEWEST, OLDEST, OLDEST_PROGRAMS

PAGE = "restoring-by-hand.md"
MISSING = [each for each in ("age", "zstd", "jq", "xxd", "openssl") if shutil.which(each) is None]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")

SEGMENT_BYTES = 1 << 20  # the least: a dump has several segments
DATABASE = "library"
TABLES = ("members", "loans", '"Odd ""table"" of 100 %"', "noise")
DATA = """
CREATE ROLE librarian;
CREATE TYPE level AS ENUM ('reader', 'friend');
CREATE TABLE members (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL,
  level level, note text, length int GENERATED ALWAYS AS (length(name)) STORED, CHECK (name <> ''));
INSERT INTO members (name, level, note) VALUES ('Ana', 'reader', NULL), ('Čeněk', 'friend', ''),
  (E'two\\nlines\\tand a \\\\', 'reader', 'NULL'), ('🦉 — "quoted", it''s', NULL, E'\\x7f');
CREATE TABLE loans (member bigint REFERENCES members, book text, due date, PRIMARY KEY (member, book));
INSERT INTO loans SELECT n % 4 + 1, 'book ' || n, date '2025-01-01' + n FROM generate_series(1, 5000) n;
CREATE TABLE "Odd ""table"" of 100 %" (n numeric, f double precision, t timestamptz, b bytea, j jsonb, a text[],
  i interval, u uuid, r int4range, s boolean);
INSERT INTO "Odd ""table"" of 100 %" VALUES ('NaN', '-Infinity', 'infinity', '\\x00ff0a0d', '{"a": [1.50, null]}',
  '{a,NULL,"b,c"}', '1 year 2 days 00:00:00.000001', '01900000-0000-7000-8000-000000000000', '[1,5)', true),
  (123456789012345678901234567890.000000000100, 5e-324, '0044-03-15 BC', '', 'null', '{}', NULL, NULL, 'empty', NULL);
CREATE TABLE noise AS SELECT n, sha256(n::text::bytea) || sha256((-n)::text::bytea) AS bytes
  FROM generate_series(1, 40000) n;
CREATE VIEW due AS SELECT name, count(*) AS books FROM members JOIN loans ON member = id GROUP BY name;
GRANT SELECT ON members TO librarian;
ALTER TABLE noise OWNER TO librarian;
SELECT lo_from_bytea(4711, '\\xdeadbeef');
"""
UNPACK = Command("bash unpack.sh", 0)
SHAPES = (
    "SELECT name, books FROM due ORDER BY name",
    """SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace ORDER BY 1""",
    """SELECT relname, relowner::regrole::text, relacl::text FROM pg_class
    WHERE relnamespace = 'public'::regnamespace ORDER BY 1""",
    "SELECT last_value, is_called FROM members_id_seq",
    "SELECT lo_get(4711)",
    "SELECT enum_range(NULL::level)::text",
)


@dataclass(frozen=True, slots=True)
class Kind:
    """One way in which a backup can be stored, and the server that it is of."""

    major: int
    form: str
    encryption: str
    compression: str

    def __str__(self) -> str:
        return f"{self.form}-{self.encryption}-{self.compression}-of-{self.major}"


SAMPLE = [
    Kind(NEWEST, "directory", "age", "zstd"),
    Kind(OLDEST, "custom", "age", "gzip"),
    Kind(OLDEST, "directory", "none", "none"),
    Kind(NEWEST, "custom", "none", "zstd"),
]
EVERY = [
    Kind(*each)
    for each in product(
        (OLDEST, NEWEST), ("directory", "custom"), ("age", "none"), ("zstd", "gzip", "none")
    )
]
HAS_OLDEST = (OLDEST_PROGRAMS / "initdb").exists()
KINDS = [each for each in (EVERY if FULL else SAMPLE) if HAS_OLDEST or each.major == NEWEST]
USUAL = KINDS[0]


@dataclass
class Remains:
    """What is left of a daemon: its repository and its key. The servers are there, and empty."""

    folder: Path
    servers: dict[int, ScratchServer]
    names: dict[Kind, str] = field(default_factory=dict)
    before: dict[int, list[object]] = field(default_factory=dict)

    def connect(self, major: int, database: str) -> psycopg.Connection:
        return psycopg.connect(self.servers[major].target(database).conninfo, autocommit=True)

    def walk(self, kind: Kind, folder: Path) -> Walk:
        """A walk of somebody who has the repository, the key, and the tools of the server's version."""
        server = self.servers[kind.major]
        there = conninfo_to_dict(server.target("postgres").conninfo)
        environment = {
            f"PG{name.upper()}": str(there[name]) for name in ("host", "port", "user", "password")
        }
        folder.mkdir(exist_ok=True)
        (folder / "repository").symlink_to(self.folder / "data/repository")
        shutil.copy(self.folder / "data/keys/backup-identity.txt", folder / "key.txt")
        walk = Walk(
            folder, environment=environment, path=(server.programs, Path(sys.executable).parent)
        )
        walk.names["backups"] = self.names[kind]
        return walk


@pytest.fixture(scope="module")
def remains(session_folder: Path) -> Iterator[Remains]:
    folder = session_folder / "by-hand"
    folder.mkdir(mode=0o711)
    loop = asyncio.new_event_loop()
    stack = AsyncExitStack()
    try:
        servers = {
            major: loop.run_until_complete(
                stack.enter_async_context(ScratchServers(folder).start(major))
            )
            for major in sorted({each.major for each in KINDS})
        }
        made = Remains(folder, servers)
        for major in servers:
            fill(made, major)
        for encryption in ("age", "none"):
            back_up(made, encryption)
        for major in servers:
            with made.connect(major, "postgres") as connection:
                connection.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")
                connection.execute("DROP ROLE librarian")
        yield made
    finally:
        loop.run_until_complete(stack.aclose())
        loop.close()


def fill(remains: Remains, major: int) -> None:
    with remains.connect(major, "postgres") as connection:
        connection.execute(f"CREATE DATABASE {DATABASE}")
    with remains.connect(major, DATABASE) as connection:
        connection.execute(DATA)
        remains.before[major] = everything(connection)


def back_up(remains: Remains, encryption: str) -> None:
    """Lets a daemon make the backups of all kinds with this encryption."""
    settings = {
        f"STEWARDD_POSTGRES__DATABASES__V{major}__URL": server.target(DATABASE).conninfo
        for major, server in remains.servers.items()
    } | {
        "STEWARDD_BACKUP__SEGMENT_BYTES": str(SEGMENT_BYTES),
        "STEWARDD_BACKUP__ENCRYPTION": encryption,
    }
    with (
        Daemon(remains.folder / "data", environment=settings) as daemon,
        Client(daemon.address) as client,
    ):
        begun = {
            kind: client.create_backup(
                f"v{kind.major}",
                options=BackupOptions(
                    form=BackupForm(kind.form), compression=BackupCompression(kind.compression)
                ),
            )
            for kind in KINDS
            if kind.encryption == encryption
        }
        for kind, operation in begun.items():
            remains.names[kind] = operation.result(timeout_s=120).name


def everything(connection: psycopg.Connection) -> list[object]:
    """Every value of every table, and what is no row."""
    found: list[object] = []
    for table in TABLES:
        query = f"COPY (SELECT * FROM {table} ORDER BY {table}::text) TO STDOUT (FORMAT binary)"
        with connection.cursor().copy(query) as rows:
            found.append((table, b"".join(rows)))
    return found + [connection.execute(query).fetchall() for query in SHAPES]


@pytest.fixture
def emptied(remains: Remains) -> Iterator[None]:
    """Afterwards the servers are empty again."""
    yield
    for major in remains.servers:
        with remains.connect(major, "postgres") as connection:
            connection.execute("DROP DATABASE IF EXISTS restored WITH (FORCE)")
            connection.execute("DROP ROLE IF EXISTS librarian")


@pytest.mark.usefixtures("emptied")
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_backup_comes_back_whole_and_a_lost_value_is_named(remains, kind, folder):
    walk = remains.walk(kind, folder).through(PAGE)
    assert [each.line for each in walk.finished] == command_lines(PAGE)
    manifest = json.loads((folder / "found/manifest.json").read_text())
    assert (manifest["form"], manifest["encryption"]) == (kind.form, kind.encryption)
    assert manifest["compression"]["method"] == kind.compression
    (said,) = walk.output("bash unpack.sh")
    assert said == f"{len(manifest['segments'])} segments, all checksums are right\n"
    assert len(manifest["segments"]) > 1
    files = json.loads((folder / "contents.json").read_text())["files"]
    assert any(len(each["pieces"]) > 1 for each in files) == (kind.form == "directory")
    (listed,) = walk.output("for each in repository")
    assert len(listed.splitlines()) == len(KINDS)
    assert "Signature Verified Successfully" in walk.output("openssl")[0]
    compared = walk.finished[-1]
    assert (compared.stdout, compared.stderr) == ("", "")
    with remains.connect(kind.major, "restored") as connection:
        assert everything(connection) == remains.before[kind.major]
        connection.execute("UPDATE members SET note = '' WHERE note IS NULL")
        connection.execute("DELETE FROM loans WHERE book = 'book 7'")
    walk.run(Command(compared.line, 0))
    assert sorted(walk.finished[-1].stdout.splitlines()) == [
        '"public"."loans" differs: 4999 rows, and the backup has 5000',
        '"public"."members" differs: 4 rows, and the backup has 4',
    ]


@pytest.fixture
def unpacking(remains: Remains, folder: Path) -> Walk:
    """A walk that has come to the step of unpacking the usual kind."""
    walk = remains.walk(USUAL, folder)
    page = steps((DOCS / PAGE).read_text())
    for step in takewhile(lambda each: each != UNPACK, page):
        walk.take(step)
    return walk


def test_a_damaged_and_a_missing_object_are_named_before_anything_is_unpacked(unpacking):
    found = unpacking.folder / "found"
    segment = found / "segment-000001"
    body = bytearray(segment.read_bytes())
    body[len(body) // 2] ^= 1
    segment.write_bytes(body)
    (found / "contents").unlink()
    unpacking.run(Command("bash unpack.sh", 1))
    assert "segment-000001: FAILED" in unpacking.finished[-1].stdout
    assert "contents: FAILED open or read" in unpacking.finished[-1].stdout
    assert not (unpacking.folder / "dump").exists()


def test_a_wrong_key_is_named_and_nothing_is_taken_for_the_dump(unpacking):
    shutil.copy(unpacking.folder / "key.txt", unpacking.folder / "right.txt")
    unpacking.run(Command("age-keygen > key.txt", 0))
    unpacking.run(Command("bash unpack.sh", 1))
    assert "no identity matched any of the recipients" in unpacking.finished[-1].stderr
    assert not (unpacking.folder / "dump").exists()


def test_a_manifest_that_was_changed_is_not_believed(unpacking):
    manifest = unpacking.folder / "found/manifest.json"
    text = manifest.read_text()
    manifest.write_text(text.replace(f'"v{USUAL.major}"', '"other"', 1))
    assert manifest.read_text() != text
    lines = command_lines(PAGE)
    first, last = (
        next(number for number, line in enumerate(lines) if line.startswith(program))
        for program in ("head -c", "openssl")
    )
    for line in lines[first:last]:
        unpacking.run(Command(line, 0))
    unpacking.run(Command(lines[last], 1))
    assert "Signature Verification Failure" in unpacking.finished[-1].stdout


def test_a_backup_of_the_first_version_is_unpacked_too(remains, folder):
    """It had zstd frames, no encryption, no contents and no signature."""
    kind = next(
        each
        for each in KINDS
        if (each.form, each.encryption, each.compression) == ("custom", "none", "zstd")
    )
    walk = remains.walk(kind, folder)
    walk.run(Command("cp -r repository/backups/*/… found", 0))
    found = folder / "found"
    manifest = json.loads((found / "manifest.json").read_text())
    kept = {name: manifest[name] for name in ("backup_id", "database", "segments", "dump_sha256")}
    (found / "manifest.json").write_text(json.dumps({"version": 1} | kept))
    (found / "contents").unlink()
    (found / "globals").unlink()
    for step in steps((DOCS / PAGE).read_text()):
        if isinstance(step, File) or step == UNPACK:
            walk.take(step)
    walk.run(Command("pg_restore --list dump", 0))
    assert "TABLE DATA public members" in walk.finished[-1].stdout
