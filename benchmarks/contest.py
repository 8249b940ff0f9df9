"""Ours beside each peer: one core, every contestant in turn, round after round, so that all meet the same weather."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.contestants import Contestant
from benchmarks.meter import Command, CommandFailed, Usage, measure

BLOCK_BYTES = 1 << 20


@dataclass(slots=True)
class Race:
    """What a contestant made of one file."""

    rows: int
    cost_s: Callable[[Usage], float]
    usages: list[Usage] = field(default_factory=list)
    counted: set[int] = field(default_factory=set)
    expected: int = 0
    failed: str = ""

    @property
    def cpu_s(self) -> float:
        """The median."""
        return median(map(self.cost_s, self.usages))

    @property
    def spread(self) -> float:
        """From the quickest to the slowest run, as a share of the median."""
        seconds = [self.cost_s(usage) for usage in self.usages]
        return (max(seconds) - min(seconds)) / self.cpu_s

    @property
    def rate(self) -> float:
        """Rows per CPU second."""
        return self.rows / self.cpu_s

    @property
    def peak_bytes(self) -> int:
        """Return the highest of all runs."""
        return max(usage.peak_bytes for usage in self.usages)

    @property
    def agrees(self) -> bool:
        """Whether every run found as many bad rows as it should."""
        return self.counted == {self.expected}


def read_through(path: Path) -> None:
    """Bring the file into the page cache, so that nobody is first."""
    with path.open("rb") as file:
        while file.read(BLOCK_BYTES):
            pass


class Contest:
    """Races over files: `races[contestant key][file name]`."""

    def __init__(self, contestants: Sequence[Contestant], core: int, scratch: Path) -> None:
        self._contestants = tuple(contestants)
        self._core = core
        self._scratch = scratch
        self.races: dict[str, dict[str, Race]] = {it.key: {} for it in self._contestants}

    def run(self, files: dict[str, Path], rows: int, rounds: int) -> None:
        """Race every contestant over every file, so many times."""
        for path in files.values():
            read_through(path)
        for number in range(rounds):
            turn = number % len(self._contestants)
            for contestant in self._contestants[turn:] + self._contestants[:turn]:
                for name, path in files.items():
                    race = self.races[contestant.key].setdefault(
                        name, Race(rows, contestant.cost_s)
                    )
                    if not race.failed:
                        self._race(contestant, path, race)
            print(f"  round {number + 1} of {rounds}", flush=True)

    def expect(self, name: str, expected: Callable[[Contestant], int]) -> None:
        """Hold everybody to the bad rows that they should have found in a file."""
        for contestant in self._contestants:
            self.races[contestant.key][name].expected = expected(contestant)

    def _race(self, contestant: Contestant, path: Path, race: Race) -> None:
        out = self._scratch / contestant.key
        out.mkdir()
        try:
            command = Command(contestant.command(path, out), (self._core,))
            (usage,) = measure(command)
            race.usages.append(usage)
            race.counted.add(contestant.counted(out, usage.printed))
        except CommandFailed as error:
            race.failed = str(error)
        finally:
            shutil.rmtree(out)
