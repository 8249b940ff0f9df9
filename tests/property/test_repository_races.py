"""Any number of daemons that claim, publish, pause, die and sweep in any order: each request is served at most once.

A state machine over a real local repository. Every daemon's clock is the test's; a paused daemon still runs what it
had begun, however late, which is what the fence is for.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)
from stewardd.errors import LeaseLost, ObjectExists, RequestInProgress
from stewardd.repository.backend.folder.store import FolderStore
from stewardd.repository.catalog import Catalog
from stewardd.repository.claims import Answered, Claims
from stewardd.repository.identifiers import folder_of, uuid7
from stewardd.repository.lease import WriterLease
from stewardd.repository.publication import Publication, manifest_key
from stewardd.repository.sweep import Sweep

from tests.support.documents import ANYTHING

# Few names, that they may meet; and memory for a disk, since syncing is not what this is about.
NAMES = ("a", "b")
DAEMONS = st.sampled_from(NAMES)
REQUESTS = st.sampled_from(["r1", "r1", "r1", "r2"])
MEMORY = Path("/dev/shm")


class Races(RuleBasedStateMachine):
    drafts = Bundle("drafts")

    @initialize()
    def begin(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None)
        self.store = FolderStore(Path(self.folder.name) / "repository")
        self.leases: dict[str, WriterLease] = {}
        self.answers: dict[str, str] = {}
        self.published: set[str] = set()
        for name in NAMES:
            self._restart(name)

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    def _restart(self, name: str) -> None:
        """The process is killed and started again; what the former one has under way comes through at any time."""
        former = self.leases.pop(name, None)
        if former is not None:
            former._heart.cancel()  # type: ignore[union-attr]
            former._identity.release()
        acquired = WriterLease.acquire(self.store, Path(self.folder.name) / name)
        self.leases[name] = self.run(acquired)

    @rule(target=drafts, name=DAEMONS, request=REQUESTS, died=st.sets(DAEMONS))
    def claim(self, name: str, request: str, died: set[str]) -> Any:
        for each in sorted(died):
            self._restart(each)
        lease = self.leases[name]
        identifier = uuid7()

        async def work() -> Any:
            outcome = await Claims(self.store, lease).claim(
                "m",
                request,
                "f",
                resource=identifier,
                manifest_key=manifest_key("batches", identifier),
            )
            if isinstance(outcome, Answered):
                return outcome
            draft = Publication(self.store, lease, "batches", identifier)
            lease.in_flight.add(draft.intent_key)
            await self.store.put(draft.intent_key, b'{"action":"publish"}')
            await self.store.put(draft.key("data"), identifier.encode())
            return request, draft

        try:
            outcome = self.run(work())
        except RequestInProgress:
            return multiple()
        if isinstance(outcome, Answered):
            assert self.answers.setdefault(request, outcome.resource) == outcome.resource
            assert outcome.resource in self.published
            return multiple()
        return outcome

    @rule(drafted=consumes(drafts))
    def commit(self, drafted: tuple[str, Publication]) -> None:
        """The put of a manifest comes through, whatever became of its writer's lease since it was checked."""
        request, draft = drafted
        try:
            self.run(draft._commit(b'{"is":"there"}\n'))
        except (LeaseLost, ObjectExists):
            return
        self.published.add(draft.identifier)
        assert self.answers.setdefault(request, draft.identifier) == draft.identifier

    @rule(name=DAEMONS, died=st.sets(DAEMONS))
    def sweep(self, name: str, died: set[str]) -> None:
        for each in sorted(died):
            self._restart(each)
        self.run(Sweep(self.store, self.leases[name], min_age_s=0).run())

    @invariant()
    def what_exists_is_whole_and_was_published(self) -> None:
        async def look() -> set[str]:
            there = set()
            async for entry in Catalog(self.store, "batches", ANYTHING).newest_first():
                key = f"{folder_of('batches', entry.identifier)}/data"
                assert await self.store.get(key) == entry.identifier.encode()
                there.add(entry.identifier)
            return there

        if hasattr(self, "store"):
            assert self.run(look()) == self.published
            assert len(self.published) == len(self.answers)

    def teardown(self) -> None:
        if hasattr(self, "loop"):
            for lease in self.leases.values():
                lease.in_flight.clear()
                self.run(lease.close())
            self.loop.close()
            self.folder.cleanup()


TestRaces = Races.TestCase
TestRaces.settings = settings(
    max_examples=120,
    stateful_step_count=12,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
