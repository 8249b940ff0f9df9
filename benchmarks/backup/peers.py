"""What others do with the same database: pg_dump in its forms, compressed and encrypted by programs of their own."""

import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyrage
from stewardd.postgres.target import DatabaseTarget

from benchmarks.backup.programs import program
from benchmarks.backup.source import call_of


@dataclass(frozen=True, slots=True)
class Peer:
    """A way to make a backup, as a command of the shell that writes below the folder it runs in."""

    name: str
    command: str


def pg_dump_of(tools: str) -> str:
    """Return the pg_dump of a folder."""
    return str(Path(tools) / "pg_dump")


def best_compression(tools: str) -> str:
    """Return the quickest compression that a pg_dump's build has: zstd where it has it, and gzip otherwise.

    It checks its options before it connects.
    """
    done = subprocess.run(
        [pg_dump_of(tools), "-Zzstd:1", "-Fc", "--dbname=host=/nonexistent"],
        capture_output=True,
        text=True,
        check=False,
    )
    if "connection to server" in done.stderr:
        return "zstd:1"
    return "1"  # of gzip, as every version takes it


def parallel(tools: str) -> Peer:
    """Return a parallel dump with the best compression that the build has."""
    best = best_compression(tools)
    shown = best if ":" in best else f"gzip:{best}"
    return Peer(
        f"`pg_dump -Fd -j2 -Z {shown}`",
        f'{pg_dump_of(tools)} -Fd -j2 -Z{best} --no-sync -f dump "$CONNINFO"',
    )


def encrypted(tools: str) -> Peer:
    """Return a parallel dump, then zstd, then age. Raises NotThere."""
    zstd, age = program("zstd"), program("age")
    recipient = str(pyrage.x25519.Identity.generate().to_public())
    return Peer(
        "`pg_dump -Fd -j2 -Z0`, then `zstd -1 -T2`, then `age`",
        f'{pg_dump_of(tools)} -Fd -j2 -Z0 --no-sync -f dump "$CONNINFO" && '
        f"tar -cf - dump | {zstd} -q -1 -T2 | {age} -r {recipient} -o dump.age",
    )


def gzipped(tools: str) -> Peer:
    """Return the plain way."""
    return Peer("`pg_dump \\| gzip`", f'{pg_dump_of(tools)} "$CONNINFO" | gzip > dump.gz')


def run(peer: Peer, target: DatabaseTarget, timed: Callable[[Callable[[], None]], float]) -> float:
    """Run a peer's way in a folder of its own; return what `timed` says of it."""
    call = call_of(target)
    with tempfile.TemporaryDirectory(prefix="steward-bench-") as folder:

        def work() -> None:
            subprocess.run(
                ["bash", "-o", "pipefail", "-c", peer.command],
                cwd=folder,
                env={**call.environment, "CONNINFO": call.conninfo},
                check=True,
                capture_output=True,
            )

        return timed(work)
