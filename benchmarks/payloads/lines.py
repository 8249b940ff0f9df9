"""A million payloads of one schema as JSON Lines: the batch beside the engine alone, and ten times the file."""

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks import length
from benchmarks.meter import Command, measure
from benchmarks.payloads.contestants import FOLDER, PayloadJudge, pass_s
from benchmarks.payloads.generate import LINES_SCHEMA, SCHEMAS, Payload, write_payloads


@dataclass(frozen=True, slots=True)
class Stream:
    """CPU seconds a payload, medians."""

    payload_bytes: float
    engine_s: float
    batch_s: float

    @property
    def share(self) -> float:
        """What the batch reaches of the engine's rate."""
        return self.engine_s / self.batch_s


def batch(path: Path, out: Path) -> tuple[str, ...]:
    """Return the command that validates a file of lines."""
    script = str(FOLDER / "lines_with_fastcsv.py")
    document = str(SCHEMAS / LINES_SCHEMA / "1.0.json")
    return (sys.executable, "-I", script, document, str(path), str(out / "batch"))


def stream(
    path: Path, count: int, engine: PayloadJudge, core: int, scratch: Path, rounds: int
) -> Stream:
    """Measure in turn, so many times. The engine judges each distinct payload of the file, again and again."""
    with path.open("rb") as lines:
        distinct = list(dict.fromkeys(line.rstrip(b"\n") for line in lines))
    apart = scratch / "lines.payloads"
    write_payloads(apart, [Payload(LINES_SCHEMA, text) for text in distinct])
    engine_s, batch_s = [], []
    for _ in range(rounds):
        (usage,) = measure(Command(engine.command(apart, scratch), (core,)))
        engine_s.append(pass_s(usage) / len(distinct))
        batch_s.append(length.once(path, scratch, core, batch).cpu_s / count)
    return Stream(path.stat().st_size / count, median(engine_s), median(batch_s))


def growth(path: Path, folder: Path, core: int, rounds: int) -> length.Growth:
    """Measure the file and ten of it. `folder` takes some gigabytes, and is removed."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        return length.growth(path, folder, core, rounds, batch, header=False)
    finally:
        shutil.rmtree(folder)
