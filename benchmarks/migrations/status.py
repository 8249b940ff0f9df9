"""The status of five hundred migrations, beside psql that reads the same table."""

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from steward_client import Client

from benchmarks.backup.programs import NotThere
from benchmarks.migrations.daemon import DATABASE, Served
from benchmarks.migrations.sqitch import Sqitch

COUNT = 500
_QUERY = "SELECT number, name, sha256, is_baseline, applied_at, applied_by FROM steward.migrations ORDER BY number"


@dataclass(frozen=True, slots=True)
class Status:
    """Seconds, medians: the first RPC of a daemon, every later one, the whole command, and others' whole processes.

    `sqitch_s` is the reason where there is no sqitch.
    """

    first_s: float
    later_s: float
    command_s: float
    psql_s: float
    sqitch_s: float | str


def measure(served: Served, tools: Path, folder: Path, rounds: int) -> Status:
    """Measure in turn."""
    served.client.apply_migrations(DATABASE, skip_backup=True).result()
    served.daemon.stop()
    served.daemon.start()  # another daemon, which has read nothing yet
    peer: Sqitch | str
    try:
        peer = Sqitch(folder / "sqitch", served.conninfo, tools, COUNT)
    except NotThere as reason:
        peer = str(reason)
    later, commands, psql, sqitch = [], [], [], []
    with Client(served.daemon.address) as client:
        client.health()
        first_s = timed(lambda: _ask(client))
        for _ in range(rounds):
            later.append(timed(lambda: _ask(client)))
            commands.append(timed(lambda: _command(served)))
            psql.append(timed(lambda: _psql(served, tools)))
            if isinstance(peer, Sqitch):
                sqitch.append(timed(peer.status))
    sqitch_s = peer if isinstance(peer, str) else median(sqitch)
    return Status(first_s, median(later), median(commands), median(psql), sqitch_s)


def timed(work: Callable[[], object]) -> float:
    """Return how long work takes."""
    began_s = time.perf_counter()
    work()
    return time.perf_counter() - began_s


def _ask(client: Client) -> None:
    status = client.get_migration_status(DATABASE)
    if (status.version, status.pending_count) != (COUNT, 0):
        raise ValueError(f"{status.version} of {COUNT} migrations are there")


def _command(served: Served) -> None:
    program = Path(sys.executable).with_name("steward")
    argv = [str(program), "migrate", "status", "--server", served.daemon.address]
    subprocess.run(argv, check=True, capture_output=True)


def _psql(served: Served, tools: Path) -> None:
    argv = [str(tools / "psql"), "-X", "-A", "-t", "-c", _QUERY, served.conninfo]
    done = subprocess.run(argv, check=True, capture_output=True)
    if done.stdout.count(b"\n") != COUNT:
        raise ValueError("psql read another number of rows")
