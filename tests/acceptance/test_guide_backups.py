"""docs/guides/backups.md, executed as it stands there: a backup is restored by hand, and every value compared."""

import hashlib
import json
import shutil

import psycopg
import pytest
from stewardd.postgres.binaries import wheel_folder

from tests.support.guides import DOCS, Command, Walk, steps

PAGE = "guides/backups.md"
BY_HAND = shutil.which("age") and shutil.which("zstd")
SEGMENT_BYTES = 1 << 20  # the least: the dump has several segments
TABLES = ("members", "loans", "odd", "noise")
DATA = """
CREATE TYPE level AS ENUM ('reader', 'friend');
CREATE TABLE members (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL,
  level level, note text, CHECK (name <> ''));
INSERT INTO members (name, level, note) VALUES ('Ana', 'reader', NULL), ('Čeněk', 'friend', ''),
  (E'two\\nlines\\tand a \\\\', 'reader', 'NULL'), ('🦉 — "quoted", it''s', NULL, E'\\x7f');
CREATE TABLE loans (member bigint REFERENCES members, book text, due date, PRIMARY KEY (member, book));
INSERT INTO loans SELECT n % 4 + 1, 'book ' || n, date '2025-01-01' + n FROM generate_series(1, 5000) n;
CREATE INDEX ON loans (due);
CREATE TABLE odd (n numeric, f double precision, t timestamptz, b bytea, j jsonb, a text[], i interval,
  u uuid, r int4range, s boolean);
INSERT INTO odd VALUES ('NaN', '-Infinity', 'infinity', '\\x00ff0a0d', '{"a": [1.50, null]}', '{a,NULL,"b,c"}',
  '1 year 2 days 00:00:00.000001', '01900000-0000-7000-8000-000000000000', '[1,5)', true),
  (123456789012345678901234567890.000000000100, 5e-324, '0044-03-15 BC', '', 'null', '{}', NULL, NULL, 'empty', NULL);
CREATE TABLE noise AS SELECT n, sha256(n::text::bytea) || sha256((-n)::text::bytea) AS bytes
  FROM generate_series(1, 60000) n;
CREATE VIEW due AS SELECT name, count(*) AS books FROM members JOIN loans ON member = id GROUP BY name;
SELECT lo_from_bytea(4711, '\\xdeadbeef');
"""
ROWS = b"session_id,participant_email,volunteer_email,scheduled_at,rating\nS1,a@x.org,b@x.org,2025-01-01,7\n"


class BackupsWalk(Walk):
    """The daemon is there before the page begins, with data in its database and a row in quarantine."""

    def run(self, command: Command) -> None:
        # The page has two ways to unpack; the one without the commands age and zstd is always run.
        if "by-hand" not in command.line or BY_HAND:
            super().run(command)


def connect(walked, database):
    service = walked.folder / "data/pg_service.conf"
    parameters = dict(
        line.split("=", 1) for line in service.read_text().splitlines() if "=" in line
    )
    return psycopg.connect(**{**parameters, "dbname": database})


@pytest.fixture(scope="module")
def walked(session_folder):
    programs = wheel_folder()
    assert programs is not None
    walk = BackupsWalk(
        session_folder / "guide-backups",
        environment={"STEWARDD_BACKUP__SEGMENT_BYTES": str(SEGMENT_BYTES)},
        path=(programs,),
    )
    walk.folder.mkdir()
    walk.folder.chmod(0o711)
    try:
        walk.start()
        with connect(walk, "steward") as connection:
            connection.execute(DATA)
        (walk.folder / "sessions.csv").write_bytes(ROWS)
        walk.run(Command("steward validate sessions.csv", 1))
        walk.through(PAGE)
        yield walk
    finally:
        walk.close()


def copied(connection, what):
    with connection.cursor().copy(f"COPY {what} TO STDOUT (FORMAT binary)") as rows:
        return hashlib.sha256(b"".join(rows)).hexdigest()


def test_every_value_comes_back(walked):
    with connect(walked, "steward") as original, connect(walked, "restored") as restored:
        for table in TABLES:
            query = f"(SELECT * FROM {table} ORDER BY {table}::text)"
            assert copied(original, query) == copied(restored, query), table


def test_what_is_no_row_comes_back_too(walked):
    queries = (
        "SELECT name, books FROM due ORDER BY name",
        """SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace ORDER BY 1""",
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1",
        "SELECT last_value, is_called FROM members_id_seq",
        "SELECT lo_get(4711)",
        "SELECT enum_range(NULL::level)::text",
    )
    with connect(walked, "steward") as original, connect(walked, "restored") as restored:
        for query in queries:
            there = restored.execute(query).fetchall()
            assert there
            assert there == original.execute(query).fetchall(), query


def test_the_stored_form_is_what_the_page_says(walked):
    manifest = json.loads((walked.folder / "found/manifest.json").read_text())
    names = [segment["name"] for segment in manifest["segments"]]
    assert len(names) > 1
    assert sorted(path.name for path in (walked.folder / "found").iterdir()) == [
        "contents",
        "globals",
        "manifest.json",
        *names,
    ]
    (said,) = walked.output("python unpack.py")
    assert f"{len(names)} segments, all checksums are right" in said


def test_a_damaged_segment_is_named(walked, folder):
    damaged = folder / "damaged"
    shutil.copytree(walked.folder / "found", damaged)
    segment = damaged / "segment-000001"
    body = bytearray(segment.read_bytes())
    body[len(body) // 2] ^= 1
    segment.write_bytes(body)
    walked.run(Command(f"python unpack.py {damaged} {folder / 'dump'} key-copy.txt", 1))
    assert "segment-000001 is damaged" in walked.finished[-1].stderr


@pytest.mark.skipif(not BY_HAND, reason="the commands age and zstd are not installed")
def test_age_zstd_and_tar_alone_give_the_same_dump(walked):
    by_hand, members = walked.folder / "by-hand", walked.folder / "members"
    names = sorted(path.name for path in members.iterdir())
    assert sorted(path.name for path in by_hand.iterdir()) == names
    for name in names:
        assert (by_hand / name).read_bytes() == (members / name).read_bytes(), name


def test_the_copy_of_the_repository_has_the_quarantine(walked):
    (listed,) = walked.output("steward quarantine list")
    assert "sessions.csv" in listed
    assert walked.daemon.environment.get("STEWARDD_REPOSITORY__URL") is None


def test_the_daemon_leaves_the_database_as_it_was(walked):
    with connect(walked, "steward") as connection:
        found = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY 1"
        ).fetchall()
    assert [name for (name,) in found] == sorted(TABLES)


def test_every_command_of_the_page_was_run(walked):
    on_the_page = [
        step.line
        for step in steps((DOCS / PAGE).read_text())
        if isinstance(step, Command) and not step.line.startswith(("stewardd", "kill"))
    ]
    assert len(on_the_page) >= 15
    left = set(on_the_page) - {each.line for each in walked.finished}
    assert all(not BY_HAND and "by-hand" in line for line in left)
