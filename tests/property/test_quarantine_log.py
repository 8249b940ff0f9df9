"""Two daemons that correct, discard, resubmit, retry, export, purge and erase the rows of one batch in any order.

A state machine over a real local repository, with a plain dictionary as the oracle: of the batch always
total = valid + resolved + discarded + open, and a cursor gets each good row once.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from stewardd.batches.filter import BatchFilter
from stewardd.batches.states import State
from stewardd.errors import ExportPurged, NothingToExport, RowClosed, RowPurged
from stewardd.quarantine.changing.retry import RetryRequest
from stewardd.quarantine.finding.row_filter import RowFilter
from stewardd.quarantine.log.batch_state import BatchState
from stewardd.quarantine.log.checkpoint import read_checkpoint, write_checkpoint
from stewardd.quarantine.removing.data_subject import DataSubject
from stewardd.quarantine.removing.erasure import EraseRequest
from stewardd.quarantine.removing.purge import PurgeRequest
from stewardd.repository.backend.folder.store import FolderStore

from tests.support.quarantine_forms import HEADER
from tests.support.quarantine_world import World, adds_up, lines, make_world

MEMORY = Path("/dev/shm")
TOTAL, EVERY = 40, 4
BAD = list(range(EVERY, TOTAL + 1, EVERY))
NUMBERS = st.sampled_from(BAD)
# Valid by 1.0, by 2.0 only, and by neither.
RATINGS = st.sampled_from(["0.5", "1.5", "9"])
DAEMONS = st.sampled_from([0, 1])


async def _report(batches: int, rows: int) -> None:
    """Nobody listens."""


class Life(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None)
        root = Path(self.folder.name)
        store = FolderStore(root / "repository")
        self.worlds: list[World] = [self.run(make_world(store, root, name)) for name in ("a", "b")]
        self.batch = self.run(self.worlds[0].publish(HEADER + lines(TOTAL, bad_every=EVERY)))
        self.states = dict.fromkeys(BAD, State.OPEN)
        self.ratings = dict.fromkeys(BAD, "1.7")
        self.purged: set[int] = set()
        self.had: dict[str, list[str]] = {"x": [], "y": []}
        # Those that were in an export before the newest one, and every export with what it has.
        self.acknowledged: dict[str, set[str]] = {}
        self.exports: dict[str, list[str]] = {}

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    @rule(daemon=DAEMONS, number=NUMBERS, rating=RATINGS)
    def correct(self, daemon: int, number: int, rating: str) -> None:
        work = self.worlds[daemon].corrections.correct(
            self.batch, number, {"rating": rating}, version="1.0"
        )
        repeated = self.states[number] is State.RESOLVED and self.ratings[number] == rating
        if number in self.purged:
            expected: type[Exception] | None = RowPurged
        elif self.states[number] is not State.OPEN and not repeated:
            expected = RowClosed
        else:
            expected = None
        try:
            row = self.run(work)
        except (RowPurged, RowClosed) as error:
            # Resolved by 2.0 with this very rating: corrected by 1.0 it is another correction.
            assert expected is type(error) or (repeated and rating == "1.5")
            return
        assert expected is None
        if self.states[number] is State.OPEN:
            self.ratings[number] = rating
            self.states[number] = State.RESOLVED if rating == "0.5" else State.OPEN
        assert row.state.state is self.states[number]

    @rule(daemon=DAEMONS, numbers=st.lists(NUMBERS, min_size=1, max_size=3))
    def discard(self, daemon: int, numbers: list[int]) -> None:
        refused = any(n in self.purged or self.states[n] is State.RESOLVED for n in numbers)
        work = self.worlds[daemon].corrections.discard(self.batch, numbers, reason="no use")
        try:
            self.run(work)
        except (RowClosed, RowPurged):
            assert refused
            return
        assert not refused
        self.states.update(dict.fromkeys(numbers, State.DISCARDED))

    @rule(daemon=DAEMONS, ratings=st.dictionaries(NUMBERS, RATINGS, max_size=5))
    def resubmit(self, daemon: int, ratings: dict[int, str]) -> None:
        table = self.run(self.worlds[daemon].sheet(self.batch))
        if not table:
            return
        edited = 0
        for row in table:
            number = int(row["Row Number"])
            rating = ratings.get(number)
            if rating is not None and rating != self.ratings[number]:
                row["rating"] = rating
                edited += 1
                self.ratings[number] = rating
                version = float(row_version(self, number))
                valid = rating == "0.5" or (rating == "1.5" and version == 2.0)
                self.states[number] = State.RESOLVED if valid else State.OPEN
        outcome = self.run(self.worlds[daemon].resubmit(self.batch, table))
        assert outcome.resolved_rows + outcome.invalid_rows == edited
        assert outcome.unchanged_rows == len(table) - edited
        assert self.run(self.worlds[daemon].resubmit(self.batch, table)).commit == 0

    @rule(daemon=DAEMONS)
    def retry(self, daemon: int) -> None:
        request = RetryRequest(self.batch, BatchFilter(), None, "maximum", "2.0", False, "")
        self.run(self.worlds[daemon].retry.run(request, _report))
        for number, state in self.states.items():
            if state is State.OPEN and self.ratings[number] != "9":
                self.states[number] = State.RESOLVED

    @rule(daemon=DAEMONS, cursor=st.sampled_from(["x", "y"]))
    def export(self, daemon: int, cursor: str) -> None:
        world = self.worlds[daemon]
        try:
            export = self.run(world.exports.create(self.batch, cursor, include_valid=True))
        except NothingToExport:
            return
        self.acknowledged[cursor] = set(self.had[cursor])
        rows = self.run(world.good(self.batch, export.identifier))
        assert len(rows) == export.resolved_rows + export.valid_rows
        self.exports[export.identifier] = rows
        self.had[cursor] += rows
        good = {
            f"S{n}" for n in range(1, TOTAL + 1) if self.states.get(n) in (None, State.RESOLVED)
        }
        # What was purged before a cursor first came went with it.
        gone = {f"S{n}" for n in self.purged}
        assert set(self.had[cursor]) | gone >= good
        assert set(self.had[cursor]) <= good
        assert len(self.had[cursor]) == len(set(self.had[cursor]))

    @rule(daemon=DAEMONS, pick=st.integers(0, 99))
    def download_again(self, daemon: int, pick: int) -> None:
        if not self.exports:
            return
        identifier, rows = list(self.exports.items())[pick % len(self.exports)]
        gone = {f"S{n}" for n in self.purged} & set(rows)
        try:
            assert self.run(self.worlds[daemon].good(self.batch, identifier)) == rows
        except ExportPurged:
            assert gone
            return
        assert not gone

    @rule(daemon=DAEMONS, states=st.sets(st.sampled_from(list(State)), min_size=1))
    def purge(self, daemon: int, states: set[State]) -> None:
        world = self.worlds[daemon]
        before = datetime.now(UTC) + timedelta(seconds=1)
        request = PurgeRequest(
            self.batch,
            BatchFilter(),
            frozenset(states),
            before,
            archive=True,
            dry_run=False,
            actor="",
        )
        self.run(world.purge.run(request, _report))
        used = self.acknowledged.values()
        for number, state in self.states.items():
            waits = state is State.RESOLVED and any(f"S{number}" not in had for had in used)
            if state in states and not waits and number not in self.purged:
                self.purged.add(number)
                self.states[number] = State.DISCARDED if state is State.OPEN else state

    @rule(daemon=DAEMONS, number=st.integers(1, TOTAL))
    def erase(self, daemon: int, number: int) -> None:
        world = self.worlds[daemon]
        request = EraseRequest(DataSubject(f"ana{number}@example.org"), False, "")
        self.run(world.erasure.run(request, "hash", _report))

    @invariant()
    def adds_up(self) -> None:
        if not hasattr(self, "worlds"):
            return
        for world in self.worlds:
            batch = self.run(world.catalog.get(self.batch))
            counts = {state: list(self.states.values()).count(state) for state in State}
            assert batch.resolved_rows == counts[State.RESOLVED]
            assert batch.discarded_rows == counts[State.DISCARDED]
            assert batch.open_rows == counts[State.OPEN]
            assert batch.total_rows == batch.valid_rows + len(BAD)
            state: BatchState = self.run(world.logs.state(batch.folder))
            assert adds_up(state)
            assert read_checkpoint(write_checkpoint(state)).summary == state.summary
            page = self.run(world.listing.of_batch(self.batch, RowFilter(), 1000, ""))
            assert [row.number for row in page.rows] == [n for n in BAD if n not in self.purged]
            assert {row.number: row.state.state for row in page.rows} == {
                n: state for n, state in self.states.items() if n not in self.purged
            }

    def teardown(self) -> None:
        if hasattr(self, "worlds"):
            for world in self.worlds:
                self.run(world.close())
            self.loop.close()
            self.folder.cleanup()


def row_version(life: Life, number: int) -> str:
    """The version that a sheet's row is judged by: the one that judged it last."""
    version: str = life.run(life.worlds[0].listing.get(life.batch, number)).validated_by
    return version


TestLife = Life.TestCase
TestLife.settings = settings(
    max_examples=40,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
