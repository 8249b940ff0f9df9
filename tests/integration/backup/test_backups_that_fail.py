"""Whatever stops a backup, it says so, leaves no backup, no data and no process; real kills, a real full disk."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from stewardd.backup import backups as backups_module
from stewardd.backup.backups import Backups
from stewardd.backup.making.protocol import MESSAGES, DumpJob
from stewardd.backup.manifest.backup import (
    USUAL_COMPRESSION,
    Compression,
    CompressionMethod,
    DumpForm,
    ProofMode,
)
from stewardd.backup.options import BackupOptions
from stewardd.backup.worker.failure import WorkerFailed
from stewardd.errors import (
    Cancelled,
    DatabaseDown,
    DatabaseRefused,
    Exhausted,
    LeaseLost,
    RepositoryDown,
    StorageFull,
    ToolFailed,
    ToolMissing,
)
from stewardd.postgres.dump_catalog import Choice
from stewardd.postgres.embedded import EmbeddedOptions, EmbeddedServer
from stewardd.postgres.tools import choose_tools, find_tools
from stewardd.repository.backend.folder.store import FolderStore
from stewardd.repository.lease import WriterLease, boottime

from tests.integration.backup.conftest import Handle, alive, objects, processes
from tests.support.waiting import until

WORKER, PG_DUMP = "stewardd.backup.making.worker", "pg_dump --format"


@pytest.fixture(autouse=True)
def nothing_is_left(store: FolderStore):
    yield
    assert processes(WORKER) == []
    assert processes(PG_DUMP) == []
    assert objects(store) == []


def stop_pg_dump_once_it_stores(handle: Handle) -> None:
    """Freezes pg_dump in the middle, so that what a test does next comes in the middle."""

    def freeze() -> None:
        (pg_dump,) = processes(PG_DUMP)
        os.kill(pg_dump, signal.SIGSTOP)

    handle.at(lambda progress: progress["stored_bytes"] != 0, freeze)


@pytest.fixture
def slow(with_options) -> Backups:
    """Backups that compress so hard that pg_dump, held up by a full pipe, is in its middle for seconds."""
    made: Backups = with_options(compression=Compression(CompressionMethod.GZIP, 9))
    return made


async def in_the_middle(making: asyncio.Task[object], handle: Handle) -> None:
    await until(
        lambda: making.done() or (handle.told[-1:] != [] and handle.told[-1]["stored_bytes"] != 0)
    )
    await asyncio.sleep(0.1)
    assert not making.done()


async def test_a_killed_worker_takes_its_pg_dump_along_and_is_told_of(slow, handle):
    stop_pg_dump_once_it_stores(handle)
    making = asyncio.create_task(slow.create("main", "", handle))
    await in_the_middle(making, handle)
    (pg_dump,), (worker,) = processes(PG_DUMP), processes(WORKER)
    os.kill(worker, signal.SIGKILL)
    with pytest.raises(ToolFailed, match=r"worker .* was killed by SIGKILL"):
        await making
    assert not alive(pg_dump)
    assert (await slow.list(10, "")).items == ()


async def test_a_killed_pg_dump_is_told_of(slow, handle):
    stop_pg_dump_once_it_stores(handle)
    making = asyncio.create_task(slow.create("main", "", handle))
    await in_the_middle(making, handle)
    os.kill(processes(PG_DUMP)[0], signal.SIGKILL)
    with pytest.raises(ToolFailed, match="pg_dump was killed by SIGKILL"):
        await making


async def test_a_cancelled_backup_ends_its_processes_and_its_session_on_the_server(
    backups, handle, locked, filled
):
    making = asyncio.create_task(backups.create("main", "", handle))
    await until(lambda: sessions(filled) != 0)
    making.cancel()
    began = time.monotonic()
    with pytest.raises(asyncio.CancelledError):
        await making
    assert time.monotonic() - began < 5
    await until(lambda: sessions(filled) == 0, 5)


async def test_a_cancelled_task_ends_its_processes_before_it_ends(slow, handle):
    stop_pg_dump_once_it_stores(handle)
    making = asyncio.create_task(slow.create("main", "", handle))
    await in_the_middle(making, handle)
    making.cancel()
    await asyncio.sleep(0)
    making.cancel()  # an impatient one
    with pytest.raises(asyncio.CancelledError):
        await making
    assert processes(WORKER) == []
    assert slow.running == 0


async def test_one_that_waits_for_its_turn_can_be_cancelled(backups, locked):
    first, second = Handle(), Handle()
    making = [asyncio.create_task(backups.create("main", "", each)) for each in (first, second)]
    await until(lambda: processes(PG_DUMP) != [])
    for each in reversed(making):
        each.cancel()
        with pytest.raises(asyncio.CancelledError):
            await each


def sessions(target) -> int:
    with psycopg.connect(target.conninfo) as connection:
        query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'stewardd backup' AND datname = %s"
        row = connection.execute(query, [connection.info.dbname]).fetchone()
    assert row is not None
    return int(row[0])


async def test_a_killed_daemon_takes_the_pipeline_along_and_the_lock_it_waited_for(
    folder, store, filled, locked, keyring
):
    script = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from stewardd.backup.backups import Backups\n"
        "from stewardd.backup.options import BackupOptions\n"
        "from stewardd.backup.keys.keyring import KeyOptions, open_keyring\n"
        "from stewardd.postgres.target import DatabaseTarget\n"
        "from stewardd.repository.lease import WriterLease\n"
        "from stewardd.repository.backend.folder.store import FolderStore\n"
        "async def main():\n"
        "    root, home = Path(sys.argv[1]), Path(sys.argv[2])\n"
        "    store = FolderStore(root)\n"
        "    lease = await WriterLease.acquire(store, home)\n"
        "    target = DatabaseTarget('main', sys.stdin.readline())\n"
        "    keyring = open_keyring(KeyOptions(home / 'keys'))\n"
        "    backups = Backups(store, lease, {'main': target}, keyring, BackupOptions(store_url=str(root)))\n"
        "    await backups.create('', '', lambda progress: None)\n"
        "asyncio.run(main())\n"
    )
    home = folder / "killed"
    home.mkdir()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    argv = [sys.executable, "-c", script, str(store.root), str(home)]
    daemon = subprocess.Popen(argv, stdin=subprocess.PIPE, env=environment, text=True)
    assert daemon.stdin is not None
    daemon.stdin.write(filled.conninfo + "\n")
    daemon.stdin.flush()
    await until(lambda: sessions(filled) != 0)
    (pg_dump,), (worker,) = processes(PG_DUMP), processes(WORKER)
    daemon.kill()
    daemon.wait()
    daemon.stdin.close()
    await until(lambda: not alive(worker) and not alive(pg_dump), 3)
    await until(lambda: sessions(filled) == 0, 6)


async def test_a_dump_that_takes_too_long_is_ended(with_options, handle, locked):
    began = time.monotonic()
    with pytest.raises(Exhausted, match="longer than 1 s"):
        await with_options(max_duration_s=1.0).create("main", "", handle)
    assert time.monotonic() - began < 10


async def test_a_dump_does_not_wait_forever_for_a_lock(with_options, handle, locked):
    """Dump, schema and proof wait for it at the same time: the first that gives up ends the others."""
    with pytest.raises(ToolFailed, match=r"timeout.*(LOCK TABLE public\.people|is held by)"):
        await with_options(lock_timeout_s=0.3).create("main", "", handle)


async def test_a_wrong_password_is_a_refusal(store, lease, options, filled, handle, keyring):
    wrong = filled.with_parameters(password="hunter2")
    with pytest.raises(DatabaseRefused, match="password authentication failed") as raised:
        await Backups(store, lease, {"main": wrong}, keyring, options).create("main", "", handle)
    assert "hunter2" not in str(raised.value)


async def test_a_database_that_is_away_is_down(
    store, lease, options, filled, handle, folder, keyring
):
    gone = filled.with_parameters(host=str(folder))
    with pytest.raises(DatabaseDown):
        await Backups(store, lease, {"main": gone}, keyring, options).create("main", "", handle)


async def test_a_database_that_stops_during_the_dump_is_down(
    store, lease, options, handle, folder, keyring
):
    home = folder / "server"
    home.mkdir(mode=0o711)
    server = EmbeddedServer(home, EmbeddedOptions(settings={"shared_buffers": "32MB"}))
    await server.start()
    target = server.target("main")
    with psycopg.connect(target.conninfo) as connection:
        connection.execute(
            "CREATE TABLE big AS SELECT n, (SELECT string_agg(md5(n::text || k), '') FROM generate_series(1, 30) k)"
            " AS body FROM generate_series(1, 20000) n"
        )
    stop_pg_dump_once_it_stores(handle)
    backups = Backups(
        store,
        lease,
        {"main": target},
        keyring,
        replace(options, compression=Compression(CompressionMethod.GZIP, 9)),
    )
    making = asyncio.create_task(backups.create("main", "", handle))
    await in_the_middle(making, handle)
    (pg_dump,) = processes(PG_DUMP)
    await server.stop()
    os.kill(pg_dump, signal.SIGCONT)
    with pytest.raises(DatabaseDown, match="went away during its dump"):
        await making


async def test_tools_that_are_too_old_are_refused(with_options, handle, folder):
    tools = folder / "tools"
    tools.mkdir()
    for name in ("pg_dump", "pg_restore"):
        (tools / name).write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) 15.14'\n")
        (tools / name).chmod(0o755)
    with pytest.raises(ToolMissing, match=r"18 or newer, and there is 15\.14"):
        await with_options(tools_dir=tools).create("main", "", handle)


async def test_a_disk_without_room_is_said_before_the_dump_begins(with_options, handle):
    with pytest.raises(StorageFull, match="in reserve"):
        await with_options(reserve_bytes=1 << 60).create("main", "", handle)
    assert all(each["dumped_bytes"] == 0 for each in handle.told)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
@pytest.mark.parametrize("reserve_bytes", [0, 1 << 20])
@pytest.mark.parametrize("form", DumpForm)
async def test_a_disk_that_fills_up_fails_the_backup_and_is_emptied_again(
    filled, folder, handle, form, reserve_bytes, keyring
):
    small = folder / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(small)], check=False
    )
    if mounted.returncode != 0:
        pytest.skip("no file system may be mounted here")
    try:
        store = FolderStore(small / "repository")
        lease = await WriterLease.acquire(store, folder / "home")
        options = BackupOptions(
            store_url=str(store.root),
            form=form,
            segment_bytes=1 << 18,
            reserve_bytes=reserve_bytes,
        )
        with pytest.raises(StorageFull):
            await Backups(store, lease, {"main": filled}, keyring, options).create(
                "main", "", handle
            )
        assert objects(store) == []
        await lease.close()
    finally:
        subprocess.run(["umount", str(small)], check=True)


async def test_a_lost_lease_ends_the_backup_long_before_its_commit(
    store, options, filled, folder, handle, locked, monkeypatch, keyring
):
    monkeypatch.setattr(backups_module, "_LEASE_CHECK_S", 0.1)
    ahead_s = 0.0
    home = folder / "sleeper"
    home.mkdir()
    lease = await WriterLease.acquire(store, home, monotonic=lambda: boottime() + ahead_s)
    making = asyncio.create_task(
        Backups(store, lease, {"main": filled}, keyring, options).create("main", "", handle)
    )
    await until(lambda: processes(PG_DUMP) != [])
    ahead_s = 1000.0
    with pytest.raises(LeaseLost):
        await making
    await lease.close()


async def test_a_repository_that_cannot_be_written_fails_the_backup(slow, store, handle, folder):
    def put_a_file_in_the_way() -> None:
        (worker,) = processes(WORKER)
        os.kill(worker, signal.SIGSTOP)
        (draft,) = [path for path in Path(store.root).glob("backups/*/*") if path.is_dir()]
        draft.rename(folder / "moved")
        draft.write_text("in the way")
        os.kill(worker, signal.SIGCONT)

    handle.at(lambda progress: progress["stored_bytes"] != 0, put_a_file_in_the_way)
    with pytest.raises(RepositoryDown):
        await slow.create("main", "", handle)
    for path in Path(store.root).glob("backups/*/*"):
        assert path.is_file()
        path.unlink()


async def test_a_worker_whose_stdin_ends_ends_in_good_order(store, filled, locked):
    tools = choose_tools(18, await find_tools(None))
    job = DumpJob(
        daemon_pid=os.getpid(),
        database="main",
        conninfo=filled.conninfo,
        pg_dump=tools.program("pg_dump"),
        pg_dumpall=tools.program("pg_dumpall"),
        psql=tools.psql,
        store_url=str(store.root),
        store_options={},
        folder="backups/day/id",
        staging=str(store.root),
        form=DumpForm.CUSTOM,
        may_stream=False,
        jobs=1,
        choice=Choice(),
        proof=ProofMode.NONE,
        with_globals=False,
        segment_bytes=1 << 20,
        compression=USUAL_COMPRESSION,
        recipients=(),
        reserve_bytes=0,
        max_duration_s=60,
        lock_timeout_s=60,
        max_bytes_per_second=0,
        niceness=0,
    )
    worker = subprocess.Popen(
        [sys.executable, "-m", WORKER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    assert worker.stdin is not None
    worker.stdin.write(MESSAGES.encode_job(job))
    worker.stdin.flush()
    await until(lambda: sessions(filled) != 0)
    output, _ = await asyncio.to_thread(worker.communicate)  # closes stdin
    assert worker.returncode == 1
    last = MESSAGES.decode_event(output.splitlines()[-1])
    assert isinstance(last, WorkerFailed)
    assert last.reason == Cancelled.reason
    await until(lambda: sessions(filled) == 0, 5)
