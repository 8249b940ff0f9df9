"""Proving the platform's five migrations, beside initdb, start, psql of the same files up, down and up, and stop."""

import os
import shlex
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from stewardd.migrations.files import read_set
from stewardd.migrations.migrations import PLATFORM
from stewardd.postgres.accounts import Account, choose_account
from stewardd.postgres.binaries import Binaries, all_server_binaries, choose_binaries
from stewardd.postgres.scratch import SETTINGS

from benchmarks.migrations.daemon import DATABASE, Served
from benchmarks.migrations.status import timed

MAJOR = 18
_TIMEOUT_S = 300


@dataclass(frozen=True, slots=True)
class Proving:
    """Seconds, medians: the operation of a daemon, and the commands by hand."""

    ours_s: float
    by_hand_s: float


def measure(served: Served, folder: Path, rounds: int) -> Proving:
    """Measure in turn."""
    account = choose_account(None)
    copies = folder / "programs"
    copies.mkdir(mode=0o711)
    binaries = choose_binaries(MAJOR, all_server_binaries(account, (), copies))
    ours, by_hand = [], []
    for _ in range(rounds):
        ours.append(timed(lambda: _prove(served)))
        by_hand.append(timed(lambda: _by_hand(account, binaries)))
    return Proving(median(ours), median(by_hand))


def _prove(served: Served) -> None:
    proved = served.client.prove_migrations(DATABASE).result()
    if any(each.outcome.value != "proven" for each in proved.proofs):
        raise ValueError("the migrations are not proven")


def _by_hand(account: Account, binaries: Binaries) -> None:
    """Run the commands in one shell, with all that makes a server of no durability quick."""
    home = Path(tempfile.mkdtemp(prefix="steward-bench-"))
    home.chmod(0o711)
    try:
        for name in ("data", "socket", "files"):
            (home / name).mkdir(mode=0o700)
        for path in PLATFORM.glob("*.sql"):
            shutil.copy(path, home / "files")
        if account.lent:
            for path in (
                home / "data",
                home / "socket",
                home / "files",
                *(home / "files").iterdir(),
            ):
                os.chown(path, account.uid, account.gid)
        status, said = account.run(
            ["/bin/sh", "-ec", _script(home, binaries)], timeout_s=_TIMEOUT_S
        )
        if status:
            raise ValueError(f"by hand: {said[-2000:]}")
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _script(home: Path, binaries: Binaries) -> str:
    settings = " ".join(f"-c {name}={value}" for name, value in SETTINGS.items())
    options = f"-c listen_addresses= -k {home / 'socket'} {settings}"
    data = str(home / "data")
    psql = [
        binaries.program("psql"),
        "-X",
        "-q",
        "-1",
        "-v",
        "ON_ERROR_STOP=1",
        "-h",
        str(home / "socket"),
    ]
    migrations = read_set(PLATFORM).migrations
    ups = [each.up.file_name for each in migrations]
    downs = [each.down.file_name for each in reversed(migrations)]
    start = [
        binaries.program("pg_ctl"),
        "start",
        "-s",
        "-w",
        "-D",
        data,
        "-l",
        f"{data}/log",
        "-o",
        options,
    ]
    commands: list[Sequence[str]] = [
        [binaries.program("initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8",
         "--locale=C", "--no-instructions"],
        start,
        *([*psql, "-U", "postgres", "-f", str(home / "files" / name), "postgres"] for name in [*ups, *downs, *ups]),
        [binaries.program("pg_ctl"), "stop", "-s", "-w", "-m", "immediate", "-D", data],
    ]  # fmt: skip
    return "\n".join(map(shlex.join, commands))
