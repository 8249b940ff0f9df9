"""A backup is restored into a scratch server and compared: a loss is found and named, and nothing else is."""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from stewardd.backup.asked import BackupAsked
from stewardd.backup.backups import Backups
from stewardd.backup.catalog import BackupCatalog
from stewardd.backup.keys.keyring import KeyOptions, Keyring, open_keyring
from stewardd.backup.manifest.backup import BackupManifest, DumpForm, ProofMode, select
from stewardd.backup.manifest.codec import SIGNED_MANIFEST
from stewardd.backup.proof import BackupProof, ProofState
from stewardd.backup.verifying.progress import VerifyPhase, VerifyProgress
from stewardd.backup.verifying.trial import BackupTrials, TrialOptions
from stewardd.errors import Corrupt
from stewardd.postgres.scratch import ScratchServer, ScratchServers
from stewardd.postgres.target import DatabaseTarget
from stewardd.repository.backend.folder.store import FolderStore
from stewardd.repository.identifiers import folder_of
from stewardd.repository.publication import MANIFEST

from tests.integration.backup.conftest import Handle, processes
from tests.support.campaigns import FULL
from tests.support.scratch import scratch_server
from tests.support.stored_backup import segment_key
from tests.support.versions import NEWEST, OLDEST

FORMS = pytest.mark.parametrize("form", list(DumpForm), ids=[each.value for each in DumpForm])
RICH = """
CREATE ROLE reader;
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE TABLE users (id int PRIMARY KEY, role varchar(50) NOT NULL CHECK (role IN ('admin', 'other')), mood mood,
  note text DEFAULT ''::text, made timestamptz DEFAULT now(), CHECK (length(note) < 100 OR note LIKE 'x%'));
INSERT INTO users SELECT n, 'admin', 'good', CASE n % 3 WHEN 0 THEN '' ELSE 'x' END FROM generate_series(1, 50) n;
CREATE TABLE logins (id bigserial PRIMARY KEY, user_id int REFERENCES users, at timestamptz DEFAULT now());
INSERT INTO logins (user_id) SELECT 1 + n % 50 FROM generate_series(1, 200) n;
CREATE INDEX by_user ON logins (user_id) WHERE at > '2020-01-01';
CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER note_login BEFORE INSERT ON logins FOR EACH ROW EXECUTE FUNCTION noted();
CREATE VIEW admins AS SELECT u.id, count(*) AS logins FROM users u JOIN logins l ON l.user_id = u.id
  WHERE u.role IN ('admin') GROUP BY 1;
GRANT SELECT ON users TO reader;
GRANT UPDATE (note) ON users TO reader;
ALTER TABLE users ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON users FOR SELECT TO reader USING (note <> 'secret'::text AND role IN ('admin', 'other'));
SELECT lo_from_bytea(4711, '\\xdeadbeef'), lo_from_bytea(4712, '\\xcafe');
"""
LOSSES = {
    "a row": ("DELETE FROM logins WHERE id = 7", "table \"public\".\"logins\" has 199 rows, and 200 were dumped"),
    "a NULL for ''": (
        "UPDATE users SET note = NULL WHERE note = '' AND id = 3",
        'table "public"."users" has other values than those that were dumped, in as many rows',
    ),
    "a sequence": (
        "ALTER SEQUENCE logins_id_seq RESTART",
        'sequence "public"."logins_id_seq" stands at 1, and was dumped at 200',
    ),
    "a grant": (
        "REVOKE SELECT ON users FROM reader",
        "table public.users: its grants is nothing, and should be ['reader: SELECT']",
    ),
    "a trigger": ("DROP TRIGGER note_login ON logins", "trigger public.logins.note_login is missing"),
    "a large object": ("SELECT lo_unlink(4712)", "there are 1 large objects, and 2 were dumped"),
}  # fmt: skip


NASTY = """
CREATE SCHEMA "sch ""e"" % ä";
CREATE TABLE "sch ""e"" % ä"."ta.b'l""e % €" ("ROW" int, "ä b" text, "per%%cent" serial, "user" text DEFAULT 'x');
INSERT INTO "sch ""e"" % ä"."ta.b'l""e % €" VALUES (1, 'x'), (2, NULL);
CREATE TABLE made (id int GENERATED ALWAYS AS IDENTITY, twice int GENERATED ALWAYS AS (3 * 2) STORED);
INSERT INTO made DEFAULT VALUES;
CREATE TABLE parts (id int, day date, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE parts_2 (day date NOT NULL, id int NOT NULL);
ALTER TABLE parts ATTACH PARTITION parts_2 FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE INDEX ON parts (day);
INSERT INTO parts SELECT n, date '2025-06-01' + n FROM generate_series(1, 400) n;
CREATE TABLE parent (id int CHECK (id > 0));
CREATE TABLE child (extra text) INHERITS (parent);
INSERT INTO child VALUES (2, 'x');
CREATE TABLE words (word text);
INSERT INTO words VALUES ('a'), ('b');
CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS n FROM words;
CREATE MATERIALIZED VIEW never AS SELECT 1 AS n WITH NO DATA;
CREATE FUNCTION on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN NULL; END';
CREATE EVENT TRIGGER look_at_ddl ON ddl_command_end EXECUTE FUNCTION on_ddl();
ALTER TABLE words ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE UNLOGGED TABLE unlogged AS SELECT n FROM generate_series(1, 5) n;
CREATE TABLE hens (id int PRIMARY KEY, egg int);
CREATE TABLE eggs (id int PRIMARY KEY, hen int NOT NULL REFERENCES hens DEFERRABLE INITIALLY DEFERRED);
BEGIN; INSERT INTO eggs VALUES (1, 1); INSERT INTO hens VALUES (1, 1); COMMIT;
ALTER TABLE hens ADD FOREIGN KEY (egg) REFERENCES eggs;
ALTER TABLE hens DISABLE TRIGGER ALL;
CREATE FUNCTION is_short(text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT length($1) < 10';
CREATE TABLE checked (word text CHECK (is_short(word)), kind varchar(9) CHECK (kind IN ('a', 'b') OR kind IS NULL));
INSERT INTO checked VALUES ('short', 'a');
CREATE TABLE dropped (a int, b int, c int);
INSERT INTO dropped VALUES (1, 2, 3);
ALTER TABLE dropped DROP COLUMN b;
CREATE TABLE no_columns ();
INSERT INTO no_columns DEFAULT VALUES;
CREATE DOMAIN small AS int CHECK (VALUE < 10);
CREATE TYPE pair AS (a int, b small);
CREATE AGGREGATE product (int) (SFUNC = int4mul, STYPE = int, INITCOND = '1');
CREATE VIEW pairs AS SELECT ROW(a, c)::pair AS p, a AS "user" FROM dropped WHERE a IN (1, 2) AND (c BETWEEN 1 AND 9);
CREATE RULE quiet AS ON DELETE TO words DO INSTEAD NOTHING;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC;
CREATE STATISTICS related ON a, c FROM dropped;
COMMENT ON TABLE words IS 'it''s "here"';
ALTER SEQUENCE "sch ""e"" % ä"."ta.b'l""e % €_per%%cent_seq" INCREMENT -3 MINVALUE -90 MAXVALUE 90 CYCLE;
"""
UNKNOWN_WORDS = """
CREATE TABLE known AS SELECT 'a' AS word;
CREATE FUNCTION is_known(text) RETURNS boolean LANGUAGE plpgsql AS
  'BEGIN RETURN EXISTS (SELECT FROM known WHERE word = $1); END';
CREATE TABLE t (word text CHECK (is_known(word)));
INSERT INTO t VALUES ('a');
"""
WIDE = "CREATE TABLE wide ({});  INSERT INTO wide (c1, c1600) VALUES (1, 2)".format(
    ", ".join(f"c{n} int" for n in range(1, 1601))
)


class OneServer(ScratchServers):
    """Real trials on one running scratch server: each begins with a fresh database."""

    def __init__(self, data_dir: Path, server: ScratchServer) -> None:
        super().__init__(data_dir)
        self._server = server

    @asynccontextmanager
    async def start(self, major: int, **_: object) -> AsyncIterator[ScratchServer]:
        with psycopg.connect(self._server.target("postgres").conninfo, autocommit=True) as admin:
            admin.execute("DROP DATABASE IF EXISTS restored WITH (FORCE)")
        yield self._server


@pytest.fixture(scope="module")
def scratch(session_folder: Path) -> Iterator[OneServer]:
    folder = Path(tempfile.mkdtemp(dir=session_folder))
    folder.chmod(0o711)
    with scratch_server(folder) as (server, _):
        yield OneServer(folder, server)


@pytest.fixture
def trials(store: FolderStore, keyring: Keyring, folder: Path, scratch: OneServer) -> BackupTrials:
    return trials_with(store, keyring, folder, scratch)


def trials_with(
    store: FolderStore, keyring: Keyring, folder: Path, servers: ScratchServers
) -> BackupTrials:
    options = TrialOptions(
        store_url=str(store.root), staging_dir=folder / "staging", jobs=2, verifier="here",
        reserve_bytes=1 << 20,
    )  # fmt: skip
    return BackupTrials(store, servers, keyring, options, lambda: datetime.now(UTC))


@pytest.fixture
def rich(filled: DatabaseTarget) -> Iterator[DatabaseTarget]:
    with psycopg.connect(filled.conninfo) as connection:
        connection.execute(RICH)
    yield filled
    with psycopg.connect(filled.conninfo) as connection:
        connection.execute("DROP OWNED BY reader; DROP ROLE reader")


def run_sql(target: DatabaseTarget, statements: str) -> None:
    with psycopg.connect(target.conninfo, autocommit=True) as connection:
        connection.execute(statements)


async def made(
    backups: Backups, form: DumpForm = DumpForm.CUSTOM, **asked: object
) -> BackupManifest:
    return await backups.create("main", "", Handle(), asked=BackupAsked(form=form, **asked))  # type: ignore[arg-type]


async def tried(trials: BackupTrials, manifest: BackupManifest) -> BackupProof:
    return await trials.run(manifest, lambda _: None)


def put_manifest(store: FolderStore, keyring: Keyring, manifest: BackupManifest) -> None:
    path = store.root / folder_of("backups", manifest.backup_id) / MANIFEST
    path.write_bytes(SIGNED_MANIFEST.encode(manifest, keyring.signing_key))


def with_contents_of(
    store: FolderStore, keyring: Keyring, dump: BackupManifest, recorded: BackupManifest
) -> BackupManifest:
    """A backup whose dump is another one's than was recorded: what lost something on its way looks like it."""
    body = (store.root / folder_of("backups", recorded.backup_id) / "contents").read_bytes()
    (store.root / folder_of("backups", dump.backup_id) / "contents").write_bytes(body)
    forged = replace(dump, contents=recorded.contents)
    put_manifest(store, keyring, forged)
    return forged


@FORMS
async def test_a_backup_is_verified_and_says_how_and_where(backups, rich, trials, form):
    manifest = await made(backups, form)
    told: list[VerifyProgress] = []
    proof = await trials.run(manifest, told.append)
    assert (proof.outcome, proof.detail, proof.differences) == (ProofState.VERIFIED, "", ())
    assert proof.notes == ()
    assert (proof.tables, proof.rows) == (5, manifest.contents.rows if manifest.contents else 0)
    assert proof.server_version.startswith(f"{NEWEST}.")
    assert proof.verifier == "here"
    assert 0 < proof.restore_s <= proof.elapsed_s
    phases = list(dict.fromkeys(each.phase for each in told))
    assert phases == [
        VerifyPhase.PREPARING,
        VerifyPhase.CHECKING,
        VerifyPhase.RESTORING,
        VerifyPhase.COMPARING,
    ]
    assert (told[-1].compared_tables, told[-1].total_tables) == (5, 5)


async def test_every_planted_loss_is_found_and_named_and_nothing_else(
    backups, rich, trials, store, keyring
):
    recorded = await made(backups)
    for statement, _ in LOSSES.values():
        run_sql(rich, statement)
    lost = await made(backups)
    proof = await tried(trials, with_contents_of(store, keyring, lost, recorded))
    assert proof.outcome is ProofState.CORRUPT
    assert proof.reason == "DIFFERENCE"
    assert sorted(proof.differences) == sorted(words for _, words in LOSSES.values())
    assert proof.detail == f"{proof.differences[0]}, and 5 more differences"
    # The dump itself is as good as any other: with its own contents it is verified.
    assert (await tried(trials, await made(backups))).outcome is ProofState.VERIFIED


async def test_a_part_of_a_database_is_verified_by_itself(backups, rich, trials):
    manifest = await made(backups, selection=select(tables=["public.people", "public.empty"]))
    proof = await tried(trials, manifest)
    assert (proof.outcome, proof.detail, proof.tables) == (ProofState.VERIFIED, "", 2)


async def test_what_a_trial_lacks_is_unverifiable_by_name(
    backups, rich, trials, store, keyring, folder, scratch
):
    manifest = await made(backups)
    without = replace(keyring, identities=())
    proof = await tried(trials_with(store, without, folder, scratch), manifest)
    assert (proof.outcome, proof.reason) == (ProofState.UNVERIFIABLE, "KEY_MISSING")
    stranger = open_keyring(KeyOptions(folder / "others"))
    unknown = replace(stranger, identities=keyring.identities)
    proof = await tried(trials_with(store, unknown, folder, scratch), manifest)
    assert (proof.outcome, proof.reason) == (ProofState.UNVERIFIABLE, "SIGNER_UNKNOWN")
    nothing = await made(backups, proof=ProofMode.NONE)
    proof = await tried(trials, nothing)
    assert (proof.outcome, proof.reason) == (ProofState.UNVERIFIABLE, "NOTHING_RECORDED")
    counted = await tried(trials, await made(backups, proof=ProofMode.COUNT))
    assert counted.outcome is ProofState.VERIFIED
    assert counted.notes == ("rows were counted, and their values not compared",)


async def test_a_full_disk_condemns_nothing(backups, rich, store, keyring, folder):
    manifest = replace(await made(backups), database_size_bytes=1 << 60)
    proof = await tried(trials_with(store, keyring, folder, ScratchServers(folder)), manifest)
    assert (proof.outcome, proof.reason) == (ProofState.COULD_NOT_RUN, "STORAGE_FULL")
    assert list(folder.glob("scratch-server-*")) == []


async def test_a_trial_that_is_cancelled_leaves_nothing(backups, rich, store, keyring, folder):
    manifest = await made(backups)
    folder.chmod(0o755)
    trials = trials_with(store, keyring, folder, ScratchServers(folder))
    restoring = asyncio.Event()

    def hear(progress: VerifyProgress) -> None:
        if progress.phase is VerifyPhase.CHECKING:
            restoring.set()

    work = asyncio.create_task(trials.run(manifest, hear))
    await restoring.wait()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert list(folder.glob("scratch-server-*")) == []
    assert list((folder / "staging").iterdir()) == []
    assert processes("stewardd.backup.restoring.worker") == []
    assert processes("pg_restore") == []


@pytest.fixture
def stored(store: FolderStore):
    def objects(manifest: BackupManifest) -> list[Path]:
        place = store.root / folder_of("backups", manifest.backup_id)
        return sorted(place.iterdir())

    return objects


@pytest.mark.campaign
@pytest.mark.timeout(3600 if FULL else 300)
async def test_no_changed_byte_passes(backups, rich, trials, store, stored):
    """Whatever byte of whatever object is changed, it is found before a row is restored."""
    manifest = await made(backups)
    chance = random.Random(17)
    catalog = BackupCatalog(store)
    files = stored(manifest)
    begun: list[VerifyPhase] = []
    for _ in range(200 if FULL else 12):
        path = chance.choice(files)
        whole = path.read_bytes()
        changed = bytearray(whole)
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
        path.write_bytes(changed)
        try:
            found = await catalog.get(manifest.backup_id)
        except Corrupt:
            continue
        else:
            proof = await trials.run(found, lambda told: begun.append(told.phase))
            assert (proof.outcome, proof.reason) == (ProofState.CORRUPT, "CORRUPT"), path.name
        finally:
            path.write_bytes(whole)
    assert VerifyPhase.RESTORING not in begun


async def test_no_segment_passes_that_is_cut_doubled_swapped_or_of_another_backup(
    with_options, rich, trials, store
):
    backups = with_options(segment_bytes=1 << 20)
    manifest, other = await made(backups), await made(backups)
    assert len(manifest.segments) > 1
    first, second = (store.root / segment_key(manifest.backup_id, n) for n in (0, 1))
    bodies = first.read_bytes(), second.read_bytes()
    strange = (store.root / segment_key(other.backup_id, 0)).read_bytes()
    for one, two in (
        (bodies[0][:-1], bodies[1]),
        (bodies[0] * 2, bodies[1]),
        (bodies[1], bodies[0]),
        (strange, bodies[1]),
    ):
        first.write_bytes(one)
        second.write_bytes(two)
        proof = await tried(trials, manifest)
        assert (proof.outcome, proof.reason) == (ProofState.CORRUPT, "CORRUPT")
    second.unlink()
    first.write_bytes(bodies[0])
    proof = await tried(trials, manifest)
    assert proof.detail == f"segment-000001 of backup {manifest.backup_id} is missing"


async def test_a_database_of_another_encoding_is_compared_as_it_is(
    database, with_options, store, lease, keyring, options, trials
):
    name = f"{database.database}_ascii"
    form = "ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' LOCALE_PROVIDER libc"
    run_sql(database, f"CREATE DATABASE {name} TEMPLATE template0 {form}")
    target = database.with_parameters(dbname=name)
    try:
        with psycopg.connect(target.conninfo) as connection:
            connection.execute(
                "CREATE TABLE words AS SELECT convert_from('\\xff61', 'SQL_ASCII') AS word"
            )
        backups = Backups(store, lease, {"main": target}, keyring, options)
        proof = await tried(trials, await made(backups))
        assert (proof.outcome, proof.detail) == (ProofState.VERIFIED, "")
    finally:
        run_sql(database, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def old_server(session_folder: Path) -> Iterator[ScratchServer]:
    """A server of the oldest major version, as a source."""
    folder = Path(tempfile.mkdtemp(dir=session_folder))
    folder.chmod(0o711)
    with asyncio.Runner() as runner:
        running = ScratchServers(folder).start(OLDEST, settings={"wal_level": "replica"})
        try:
            yield runner.run(running.__aenter__())
        finally:
            runner.run(running.__aexit__(None, None, None))


@pytest.fixture
async def old_database(old_server: ScratchServer) -> AsyncIterator[DatabaseTarget]:
    target = await old_server.create_database("old")
    yield target
    run_sql(old_server.target("postgres"), "DROP DATABASE old WITH (FORCE)")


async def test_what_hurts_other_tools_is_verified(filled, backups, trials):
    run_sql(filled, NASTY)
    run_sql(filled, WIDE)
    for form in DumpForm:
        proof = await tried(trials, await made(backups, form))
        assert (proof.outcome, proof.detail, proof.notes) == (ProofState.VERIFIED, "", ())


async def test_a_view_that_a_restore_leaves_empty_is_refreshed_and_told(
    old_server, old_database, store, lease, keyring, options, folder
):
    """From PostgreSQL 17 on such a view can neither be made nor refreshed."""
    run_sql(
        old_database,
        "CREATE TABLE words AS SELECT 'a' AS word;"
        "CREATE FUNCTION count_words() RETURNS bigint LANGUAGE plpgsql AS"
        " 'BEGIN RETURN (SELECT count(*) FROM words); END';"
        "CREATE MATERIALIZED VIEW counted AS SELECT count_words() AS n",
    )
    backups = Backups(store, lease, {"main": old_database}, keyring, options)
    trials = trials_with(store, keyring, folder, OneServer(folder, old_server))
    proof = await tried(trials, await made(backups))
    assert (proof.outcome, proof.detail) == (ProofState.VERIFIED, "")
    assert proof.notes == (
        "a restore leaves these materialised views empty, since their functions name no schema: counted",
    )
    run_sql(old_server.target("postgres"), "DROP DATABASE restored WITH (FORCE)")


async def test_another_major_version_stands_in_and_raises_no_false_alarm(
    old_database, store, lease, keyring, options, trials
):
    run_sql(
        old_database,
        RICH.replace("CREATE ROLE reader;", "DROP ROLE IF EXISTS reader; CREATE ROLE reader;"),
    )
    run_sql(old_database, NASTY)
    backups = Backups(store, lease, {"main": old_database}, keyring, options)
    proof = await tried(trials, await made(backups))
    assert (proof.outcome, proof.detail) == (ProofState.VERIFIED, "")
    assert proof.notes[0].startswith(
        f"there is no PostgreSQL {OLDEST} here; it was restored into {NEWEST}."
    )


@pytest.mark.parametrize(
    ("reason", "statement", "words"),
    [
        (
            "EXTENSION_MISSING",
            "CREATE EXTENSION pgcrypto; CREATE TABLE t AS SELECT gen_salt('md5') AS salt",
            'extension "pgcrypto" is not available',
        ),
        (
            "COLLATION_MISSING",
            "CREATE TABLE t (word text COLLATE \"de-x-icu\"); INSERT INTO t VALUES ('a')",
            'collation "pg_catalog.de-x-icu" for encoding "UTF8" does not exist',
        ),
        (
            "RESTORE_REFUSED",
            UNKNOWN_WORDS,
            'TABLE DATA t: COPY failed for table "t": relation "known" does not exist (in PL/pgSQL function',
        ),
    ],
    ids=["an extension", "an ICU collation", "a CHECK constraint's function"],
)
async def test_what_the_scratch_server_cannot_hold_is_unverifiable_and_never_corrupt(
    old_database, store, lease, keyring, options, trials, reason, statement, words
):
    run_sql(old_database, statement)
    backups = Backups(store, lease, {"main": old_database}, keyring, options)
    proof = await tried(trials, await made(backups))
    assert (proof.outcome, proof.reason) == (ProofState.UNVERIFIABLE, reason), proof.detail
    assert words in proof.detail
