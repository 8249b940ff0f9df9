"""Scratch servers live as long as their block, are of the wanted version, and leave nothing behind."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from stewardd.errors import ConfigurationError, StorageFull, ToolMissing
from stewardd.postgres.postmaster import read_postmaster_file
from stewardd.postgres.scratch import ScratchOptions, ScratchServers

from tests.support.versions import NEWEST, OLDEST, both_majors

START_AND_DIE = (
    "import asyncio, os, signal, sys\n"
    "from pathlib import Path\n"
    "from stewardd.postgres.scratch import ScratchServers\n"
    "async def main():\n"
    "    async with ScratchServers(Path(sys.argv[1])).start(18):\n"
    "        os.kill(os.getpid(), signal.SIGKILL)\n"
    "asyncio.run(main())\n"
)


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("scratch-server-*"))


def models_in(folder: Path) -> list[Path]:
    return sorted(folder.glob("scratch-model-*"))


def postmaster_of(folder: Path) -> int:
    found = read_postmaster_file(next(folder.glob("scratch-server-*")) / "data")
    assert found is not None
    return found.pid


def is_alive(pid: int) -> bool:
    try:
        stat = (Path("/proc") / str(pid) / "stat").read_text()
    except OSError:
        return False
    return "(postgres)" in stat and stat.rpartition(")")[2].split()[0] not in ("Z", "X")


@both_majors
async def test_it_is_of_the_wanted_version_and_gone_after_its_block(folder, major):
    async with ScratchServers(folder).start(major) as server:
        assert (server.wanted_major, server.major) == (major, major)
        pid = postmaster_of(folder)
        target = await server.create_database("work")
        with psycopg.connect(target.conninfo) as connection:
            assert connection.info.server_version // 10000 == major
            shown = (
                "SELECT current_setting('fsync'), current_setting('listen_addresses'), upper('zoë')"
            )
            assert connection.execute(shown).fetchone() == ("off", "", "ZOË")
            interfaces = connection.execute("SELECT pg_read_file('/proc/net/dev')").fetchone()
            assert (str(interfaces).count(":") == 1) is (server.reaches_network == "")
        # What its processes share goes with its folder, also where all of them are killed.
        shared = Path("/proc", str(pid), "maps").read_text()
        assert "/dev/shm/" not in shared
        assert "/pg_dynshmem/" in shared
        copied = await server.create_database("copy", template="work")
        with psycopg.connect(copied.conninfo) as connection:
            assert connection.execute("SELECT current_database()").fetchone() == ("copy",)
        # A client that is still there does not keep it alive.
        left = psycopg.connect(target.conninfo)
    assert not is_alive(pid)
    assert left_in(folder) == []
    left.close()


async def test_a_version_that_is_not_here_is_stood_in_for_by_the_nearest_newer_one(folder):
    async with ScratchServers(folder).start(NEWEST - 1) as server:
        assert (server.wanted_major, server.major) == (NEWEST - 1, NEWEST)


async def test_a_version_newer_than_all_is_refused_by_name(folder):
    with pytest.raises(ToolMissing, match=r"PostgreSQL 99 needs .* and there is .*18\."):
        async with ScratchServers(folder).start(99):
            pass
    assert left_in(folder) == []


async def test_a_configured_folder_without_programs_is_refused_by_name(folder):
    options = ScratchOptions(server_dirs=(folder / "nothing",))
    with pytest.raises(ConfigurationError, match="nothing holds no programs"):
        async with ScratchServers(folder, options).start(OLDEST):
            pass
    assert left_in(folder) == []


async def test_a_disk_that_is_too_full_is_found_before_anything_is_made(folder):
    with pytest.raises(StorageFull, match="no room for a scratch server"):
        async with ScratchServers(folder).start(NEWEST, room_bytes=1 << 60):
            pass
    assert list(folder.iterdir()) == []


async def test_it_is_removed_when_its_block_fails(folder):
    with pytest.raises(RuntimeError, match="the work failed"):
        async with ScratchServers(folder).start(NEWEST):
            pid = postmaster_of(folder)
            raise RuntimeError("the work failed")
    assert not is_alive(pid)
    assert left_in(folder) == []


@pytest.mark.parametrize("after_s", [0.0, 0.1, 0.5, 1.5])
async def test_it_is_removed_when_it_is_cancelled_while_it_starts(folder, after_s):
    async def use() -> None:
        async with ScratchServers(folder).start(NEWEST):
            await asyncio.sleep(60)

    task = asyncio.create_task(use())
    await asyncio.sleep(after_s)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert left_in(folder) == []


async def test_two_at_once_do_not_meet(folder):
    servers = ScratchServers(folder)
    async with servers.start(NEWEST) as one, servers.start(NEWEST) as other:
        await one.create_database("work")
        await other.create_database("work")
        assert len(left_in(folder)) == 2
    assert left_in(folder) == []


async def test_what_a_killed_daemon_left_is_ended_and_removed_at_the_next_start(folder):
    done = subprocess.run([sys.executable, "-c", START_AND_DIE, str(folder)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(left_in(folder)) == 1
    pid = postmaster_of(folder)
    assert is_alive(pid)
    assert len(models_in(folder)) == 1
    assert len(await ScratchServers(folder).sweep()) == 1
    assert not is_alive(pid)
    assert left_in(folder) == []
    assert models_in(folder) == []


async def test_one_initdb_serves_all_of_a_daemon_and_goes_with_it(folder):
    servers = ScratchServers(folder)
    identifiers = set()
    for _ in range(2):
        async with servers.start(NEWEST) as server, server.session("postgres") as connection:
            cursor = await connection.execute("SELECT system_identifier FROM pg_control_system()")
            identifiers.add(await cursor.fetchone())
    assert len(identifiers) == 1  # initdb would have made another
    (model,) = models_in(folder)
    shutil.rmtree(model)
    async with servers.start(NEWEST) as server:  # made anew
        assert server.major == NEWEST
    await servers.close()
    assert models_in(folder) == []
    assert left_in(folder) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can lend an account")
async def test_what_a_superuser_of_one_server_does_never_reaches_the_next(folder):
    servers = ScratchServers(folder)
    async with servers.start(NEWEST) as server:
        (model,) = models_in(folder)
        with psycopg.connect(server.target("postgres").conninfo, autocommit=True) as connection:
            for target in (model / "data" / "PG_VERSION", model / "data" / "new", model / "new"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(f"COPY (SELECT 1) TO '{target}'".encode())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can lend an account")
async def test_it_does_not_run_as_root(folder):
    async with ScratchServers(folder).start(NEWEST):
        status = (Path("/proc") / str(postmaster_of(folder)) / "status").read_text()
        uid = next(line for line in status.splitlines() if line.startswith("Uid:")).split()[1]
        assert uid != "0"
