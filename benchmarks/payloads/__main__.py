"""`make bench-payloads`: the payloads, the peers, every measurement, PAYLOADS.md.

`--quick` measures little, to see that everything works; `--only` measures one part; `--without-peers` installs and
builds nothing, and measures what is ours and in Python. The page of such a run goes to build/benchmarks, so that
PAYLOADS.md is only ever a whole run.
"""

import argparse
import platform
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from benchmarks import machine, places
from benchmarks.contest import Contest
from benchmarks.payloads import lines, results
from benchmarks.payloads.agreement import agreements, invalid_count, of_all
from benchmarks.payloads.contestants import ENGINE, JUDGES, timed
from benchmarks.payloads.generate import Generator, lines_file, write_payloads
from benchmarks.payloads.install import install
from benchmarks.payloads.measured import FILES, Measured
from benchmarks.rpc.unary import call_rates

OUR_PACKAGES = ("steward-fastcsv", "grpcio", "protobuf")


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is measured."""

    payloads: int
    seconds: float
    """CPU seconds that a contestant judges a file for, at least."""
    rounds: int
    lines: int
    calls: int


WHOLE = Extent(payloads=18_000, seconds=0.4, rounds=5, lines=1_000_000, calls=10_000)
QUICK = Extent(payloads=900, seconds=0.05, rounds=1, lines=5000, calls=200)

Part = Callable[[Measured, Extent, Path], None]


def peers(measured: Measured, extent: Extent, scratch: Path) -> None:
    """Measure the contestants on both files, and hold their verdicts to ours."""
    core = machine.cores()[0]
    measured.agreements = agreements(measured.judges, core, scratch)
    contest = Contest([timed(it, extent.seconds) for it in measured.judges], core, scratch)
    files, invalid = {}, {}
    for file, share in FILES.items():
        payloads = list(Generator(f"payloads/{file}").payloads(extent.payloads, share))
        files[file] = scratch / f"{share}.payloads"
        write_payloads(files[file], payloads)
        invalid[file] = invalid_count(payloads)
        measured.payload_bytes[file] = sum(len(it.text) for it in payloads) / len(payloads)
    contest.run(files, extent.payloads, extent.rounds)
    for file, count in invalid.items():
        contest.expect(file, of_all(count))
    measured.races = contest.races


def loopback(measured: Measured, extent: Extent, scratch: Path) -> None:
    """Measure ValidatePayload."""
    folder = scratch / "daemon"
    folder.mkdir()
    folder.chmod(0o755)
    try:
        measured.call_rates = call_rates(folder, extent.calls, extent.rounds)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def json_lines(measured: Measured, extent: Extent, scratch: Path) -> None:
    """Measure JSON Lines."""
    core, rounds = machine.cores()[0], min(extent.rounds, 3)
    engine = timed(ENGINE, extent.seconds) if ENGINE in measured.judges else None
    for file, share in FILES.items():
        path = lines_file(places.DATA, extent.lines, share)
        if engine is not None:
            measured.streams[file] = lines.stream(path, extent.lines, engine, core, scratch, rounds)
        measured.growths[file] = lines.growth(path, places.BUILD / "lines", core, min(rounds, 2))


PARTS: dict[str, Part] = {"peers": peers, "loopback": loopback, "lines": json_lines}


def begin(extent: Extent, *, with_peers: bool) -> Measured:
    """Put the peers in place, then look at the machine."""
    installed = install(with_peers=with_peers)
    own = {name: version(name) for name in OUR_PACKAGES}
    return Measured(
        machine=machine.describe(),
        versions={"python": platform.python_version(), **own, **installed.versions},
        left_out=installed.left_out,
        rounds=extent.rounds,
        payloads=extent.payloads,
        lines=extent.lines,
        calls=extent.calls,
        before=machine.moment(),
        judges=tuple(it for it in JUDGES if installed.versions.keys() >= set(it.needs)),
    )


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.payloads", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="measure little")
    parser.add_argument("--only", choices=PARTS, action="append", help="one part; may be repeated")
    parser.add_argument("--without-peers", action="store_true", help="install and build nothing")
    return parser.parse_args()


def main() -> None:
    """Run what was asked for, and write its page."""
    chosen = options()
    extent = QUICK if chosen.quick else WHOLE
    measured = begin(extent, with_peers=not chosen.without_peers)
    scratch = places.scratch()
    try:
        for part in chosen.only or PARTS:
            print(f"measuring: {part} …", flush=True)
            PARTS[part](measured, extent, scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    measured.after = machine.moment()
    is_whole = not (chosen.quick or chosen.only or chosen.without_peers)
    page = (places.HERE if is_whole else places.BUILD) / "PAYLOADS.md"
    page.write_text(results.render(measured), encoding="utf-8")
    print(f"written: {page.relative_to(places.ROOT)}")


if __name__ == "__main__":
    main()
