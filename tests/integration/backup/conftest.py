"""A database with something in it, a repository in a folder, and a listener that remembers what it was told."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from stewardd.backup.backups import Backups
from stewardd.backup.keys.keyring import KeyOptions, Keyring, open_keyring
from stewardd.backup.manifest.backup import DumpForm
from stewardd.backup.options import BackupOptions
from stewardd.backup.progress import BACKUP_PROGRESS, BackupProgress
from stewardd.postgres.target import DatabaseTarget
from stewardd.repository.backend.folder.store import FolderStore
from stewardd.repository.lease import WriterLease

from tests.support.postgres_front import Front

ROWS = 10_000


class Handle:
    """Listens to the progress of a backup. `at` runs something once, when a condition first holds."""

    def __init__(self) -> None:
        self.told: list[dict[str, object]] = []
        self._hooks: list[tuple[Callable[[Mapping[str, object]], bool], Callable[[], None]]] = []

    def at(
        self, condition: Callable[[Mapping[str, object]], bool], then: Callable[[], None]
    ) -> None:
        self._hooks.append((condition, then))

    def __call__(self, reported: BackupProgress) -> None:
        progress = BACKUP_PROGRESS.to_json(reported)
        self.told.append(progress)
        for hook in [hook for hook in self._hooks if hook[0](progress)]:
            self._hooks.remove(hook)
            hook[1]()

    @property
    def phases(self) -> list[object]:
        return list(dict.fromkeys(each["phase"] for each in self.told))


@pytest.fixture
def handle() -> Handle:
    return Handle()


@pytest.fixture
def filled(database: DatabaseTarget) -> DatabaseTarget:
    """About 10 MB that compress badly, in tables of several kinds, with keys between them and a sequence."""
    with psycopg.connect(database.conninfo) as connection:
        connection.execute(
            "CREATE TABLE people (id int PRIMARY KEY, name text NOT NULL, born date)"
        )
        connection.execute(
            "INSERT INTO people SELECT n, 'Zoë ' || n || E'\\t\\\\ \\n''', date '1950-01-01' + n"
            " FROM generate_series(1, 1000) n"
        )
        connection.execute(
            "CREATE TABLE notes (id bigserial PRIMARY KEY, person int REFERENCES people, body text, extra jsonb)"
        )
        connection.execute(
            "INSERT INTO notes (person, body, extra) SELECT 1 + n % 1000,"
            " (SELECT string_agg(md5(n::text || k), '') FROM generate_series(1, 30) k), jsonb_build_object('n', n)"
            f" FROM generate_series(1, {ROWS}) n"
        )
        connection.execute("CREATE TABLE empty (x numeric(12, 3), y bytea)")
        connection.execute("CREATE VIEW elders AS SELECT * FROM people WHERE born < '1951-01-01'")
    return database


@pytest.fixture
def store(folder: Path) -> FolderStore:
    return FolderStore(folder / "repository")


@pytest.fixture
async def lease(store: FolderStore, folder: Path):
    home = folder / "writer"
    home.mkdir()
    made = await WriterLease.acquire(store, home)
    yield made
    await made.close()


@pytest.fixture
def keyring(folder: Path) -> Keyring:
    """Keys that a daemon has made by itself."""
    return open_keyring(KeyOptions(folder / "keys"))


@pytest.fixture
def options(store: FolderStore) -> BackupOptions:
    """As one stream, which a test can hold up in its middle; test_forms.py has both forms."""
    return BackupOptions(
        store_url=str(store.root),
        form=DumpForm.CUSTOM,
        segment_bytes=1 << 18,
        reserve_bytes=1 << 20,
    )


@pytest.fixture
def backups(
    store: FolderStore, lease: WriterLease, filled: DatabaseTarget, options: BackupOptions, keyring
) -> Backups:
    return Backups(store, lease, {"main": filled}, keyring, options)


@pytest.fixture
def with_options(
    store: FolderStore, lease: WriterLease, filled: DatabaseTarget, options: BackupOptions, keyring
):
    def make(**changes: object) -> Backups:
        return Backups(store, lease, {"main": filled}, keyring, replace(options, **changes))  # type: ignore[arg-type]

    return make


@pytest.fixture
def locked(filled: DatabaseTarget) -> Iterator[psycopg.Connection]:
    """Somebody changes a table: a dump waits for the lock."""
    with psycopg.connect(filled.conninfo) as connection:
        connection.execute("LOCK TABLE notes IN ACCESS EXCLUSIVE MODE")
        yield connection
        connection.rollback()


def socket_of(target: DatabaseTarget) -> Path:
    return Path(str(conninfo_to_dict(target.conninfo)["host"])) / ".s.PGSQL.5432"


def through(target: DatabaseTarget, front: Front, **parameters: str) -> DatabaseTarget:
    """The same database, reached by TCP through something that stands before it."""
    parts = conninfo_to_dict(target.conninfo)
    kept = {key: str(parts[key]) for key in ("user", "password", "dbname")}
    plain = DatabaseTarget(target.name, "").with_parameters(**kept)
    return plain.with_parameters(host="127.0.0.1", port=front.port, **parameters)


def processes(program: str) -> list[int]:
    """The numbers of the processes of a dump that are alive; only this test's own, by their ancestors."""
    listing = subprocess.run(
        ["ps", "axww", "-o", "pid=,ppid=,stat=,args="], capture_output=True, text=True, check=True
    )
    rows = [line.split(None, 3) for line in listing.stdout.splitlines()]
    parents = {int(pid): int(ppid) for pid, ppid, _, _ in rows}

    def ours(pid: int) -> bool:
        while pid in parents:
            if pid == os.getpid():
                return True
            pid = parents[pid]
        return False

    return [
        int(pid)
        for pid, _, stat, args in rows
        if program in args and not stat.startswith("Z") and ours(int(pid))
    ]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def objects(store: FolderStore) -> list[str]:
    """Whatever lies in the repository, save the writers' leases."""
    found = (path.relative_to(store.root) for path in store.root.rglob("*") if path.is_file())
    return sorted(str(path) for path in found if str(path).startswith("backups"))
