"""Everything of one run, for the page to be written from."""

from dataclasses import dataclass, field

from benchmarks.contest import Race
from benchmarks.length import Growth
from benchmarks.machine import Moment
from benchmarks.payloads.agreement import Agreement
from benchmarks.payloads.contestants import PayloadJudge
from benchmarks.payloads.lines import Stream
from benchmarks.rpc.unary import CallRates

VALID, HALF = "valid", "50 % invalid"
FILES = {VALID: 0.0, HALF: 0.5}


@dataclass(slots=True)
class Measured:
    """Everything of one run; a part that was not measured is empty."""

    machine: str
    versions: dict[str, str]
    left_out: dict[str, str]
    rounds: int
    payloads: int
    lines: int
    calls: int
    before: Moment
    after: Moment | None = None
    payload_bytes: dict[str, float] = field(default_factory=dict)
    judges: tuple[PayloadJudge, ...] = ()
    races: dict[str, dict[str, Race]] = field(default_factory=dict)
    agreements: dict[str, Agreement] = field(default_factory=dict)
    call_rates: dict[str, CallRates] = field(default_factory=dict)
    streams: dict[str, Stream] = field(default_factory=dict)
    growths: dict[str, Growth] = field(default_factory=dict)

    def payload_s(self, key: str, file: str) -> float | None:
        """Return the CPU seconds a payload of a contestant; None where it was not measured."""
        race = self.races.get(key, {}).get(file)
        return race.cpu_s / race.rows if race is not None and race.usages else None
