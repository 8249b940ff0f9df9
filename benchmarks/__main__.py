"""`make bench`: the data, the peers, every measurement, RESULTS.md.

`--rows`, `--rounds` and `--only` make a smaller run for trying something out; its page goes to
build/benchmarks instead, so that RESULTS.md is only ever a whole run.
"""

import argparse
import platform
import shutil
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from benchmarks import cores, length, machine, places, results
from benchmarks.agreement import verdicts
from benchmarks.contest import Contest
from benchmarks.contestants import OURS, PEERS_OF_OURS
from benchmarks.generate import generated
from benchmarks.install import install
from benchmarks.measured import FILES, Measured
from benchmarks.rpc import loopback
from benchmarks.rpc.reading import reading
from benchmarks.rpc.scraping import scraping

ROWS = 1_000_000
ROUNDS = 5
QUICK = 2
"""So many times the rounds for what takes about a second, and of which the ratio is of single runs."""
QUARANTINED_ROWS = 5_000_000
INVALID = dict(zip(FILES, (0.02, 0.5), strict=True))
OUR_PACKAGES = ("steward-fastcsv", "grpcio", "protobuf")

Part = Callable[[Measured, dict[str, Path], Path], None]


def peers(measured: Measured, files: dict[str, Path], scratch: Path) -> None:
    """Measure ours beside every peer that could be put in place."""
    there = [it for it in PEERS_OF_OURS if all(need in measured.versions for need in it.needs)]
    core = machine.cores()[0]
    contest = Contest((OURS, *there), core, scratch)
    contest.run(files, measured.rows, measured.rounds)
    for file, path in files.items():
        contest.expect(file, verdicts(path, core, scratch).expected)
    measured.races = contest.races


def two_cores(measured: Measured, files: dict[str, Path], scratch: Path) -> None:
    """Measure two threads beside two runs."""
    if len(machine.cores()) < 2:
        measured.skipped["cores"] = "there is one core"
        return
    for file, path in files.items():
        measured.doublings[file] = cores.doubling(
            path, scratch, machine.cores(), QUICK * measured.rounds
        )


def ten_times(measured: Measured, files: dict[str, Path], _scratch: Path) -> None:
    """Measure the file and ten of it; the disk takes them, for they may not fit into memory."""
    folder = places.BUILD / "length"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        for file, path in files.items():
            core, rounds = machine.cores()[0], min(measured.rounds, 3)
            measured.growths[file] = length.growth(path, folder, core, rounds)
    finally:
        shutil.rmtree(folder)


def over_loopback(measured: Measured, files: dict[str, Path], scratch: Path) -> None:
    """Measure ValidateBatch, and Health under load."""
    for file, path in files.items():
        measured.end_to_end[file] = loopback.end_to_end(
            path, scratch, machine.cores(), QUICK * measured.rounds
        )
    measured.health = loopback.health(files[FILES[0]], scratch)


def quarantine(measured: Measured, _files: dict[str, Path], _scratch: Path) -> None:
    """Measure reading what is in quarantine: on the disk, for it may not fit into memory."""
    folder = places.BUILD / "quarantine"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        measured.reading = reading(folder, QUARANTINED_ROWS)
    finally:
        shutil.rmtree(folder)


def scrape(measured: Measured, _files: dict[str, Path], scratch: Path) -> None:
    """Measure what a scrape costs the calls that are in flight."""
    folder = scratch / "scraped"
    folder.mkdir()
    folder.chmod(0o755)
    try:
        measured.scraping = scraping(folder)
    finally:
        shutil.rmtree(folder)


PARTS: dict[str, Part] = {
    "peers": peers,
    "cores": two_cores,
    "length": ten_times,
    "loopback": over_loopback,
    "quarantine": quarantine,
    "scraping": scrape,
}


def begin(
    rows: int, rounds: int, files: dict[str, Path], *, with_peers: bool, with_qsv: bool
) -> Measured:
    """Put the peers in place, then look at the machine."""
    installed = install(with_peers=with_peers, with_qsv=with_qsv)
    own = {name: version(name) for name in OUR_PACKAGES}
    return Measured(
        machine=machine.describe(),
        rows=rows,
        row_bytes={file: path.stat().st_size / rows for file, path in files.items()},
        rounds=rounds,
        versions={"python": platform.python_version(), **own, **installed.versions},
        left_out=installed.left_out,
        before=machine.moment(),
    )


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", choices=PARTS, action="append", help="one part; may be repeated")
    parser.add_argument("--qsv", action="store_true", help="build qsv too, which takes long")
    return parser.parse_args()


def main() -> None:
    """Run what was asked for, and write its page."""
    chosen = options()
    parts = chosen.only or list(PARTS)
    files = {}
    for file, invalid in INVALID.items():
        print(f"making the file with {file} invalid rows …", flush=True)
        files[file] = generated(places.DATA, chosen.rows, invalid)
    measured = begin(
        chosen.rows, chosen.rounds, files, with_peers="peers" in parts, with_qsv=chosen.qsv
    )
    scratch = places.scratch()
    try:
        for part in parts:
            print(f"measuring: {part} …", flush=True)
            PARTS[part](measured, files, scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    measured.after = machine.moment()
    whole = not chosen.only and (chosen.rows, chosen.rounds) == (ROWS, ROUNDS)
    page = (places.HERE if whole else places.BUILD) / "RESULTS.md"
    page.write_text(results.render(measured), encoding="utf-8")
    print(f"written: {page.relative_to(places.ROOT)}")


if __name__ == "__main__":
    main()
