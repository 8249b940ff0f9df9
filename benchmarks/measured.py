"""Everything of one run, for the page to be written from."""

from dataclasses import dataclass, field

from benchmarks.contest import Race
from benchmarks.cores import Doubling
from benchmarks.length import Growth
from benchmarks.machine import Moment
from benchmarks.rpc.loopback import EndToEnd, Latency
from benchmarks.rpc.reading import Reading
from benchmarks.rpc.scraping import Scraping

FILES = ("2 %", "50 %")


@dataclass(slots=True)
class Measured:
    """Everything of one run; a part that was not measured is empty or None."""

    machine: str
    rows: int
    row_bytes: dict[str, float]
    rounds: int
    versions: dict[str, str]
    left_out: dict[str, str]
    before: Moment
    after: Moment | None = None
    races: dict[str, dict[str, Race]] = field(default_factory=dict)
    doublings: dict[str, Doubling] = field(default_factory=dict)
    growths: dict[str, Growth] = field(default_factory=dict)
    end_to_end: dict[str, EndToEnd] = field(default_factory=dict)
    health: dict[str, Latency] = field(default_factory=dict)
    reading: Reading | None = None
    scraping: Scraping | None = None
    skipped: dict[str, str] = field(default_factory=dict)
