"""The monitor: probes every component at its own interval and keeps what it saw.

Health answers from here, so that it is quick also while a probe hangs. A probe that raises, or takes longer than its
bound, finds its component DOWN with what it said; none can end the monitor.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from stewardd.errors import StewardError
from stewardd.health.state import Component, HealthState
from stewardd.telemetry import logger

log = logger("health")


@dataclass(frozen=True, slots=True)
class Finding:
    """What a probe found. `facts` is one of the dataclasses of health.facts."""

    state: HealthState
    detail: str
    facts: Any = None


@dataclass(frozen=True, slots=True)
class Probe:
    """How one component is looked at: how often, and how long that may take."""

    name: str
    look: Callable[[], Awaitable[Finding]]
    interval_s: float
    timeout_s: float


class Monitor:
    """Runs probes. Start it once; `components` is complete from then on."""

    def __init__(self) -> None:
        self._probes: list[Probe] = []
        self._components: dict[str, Component] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._changed = asyncio.Event()
        self.stopping = False

    def add(self, probe: Probe) -> None:
        """Adds a component, before the start."""
        self._probes.append(probe)

    async def start(self) -> None:
        """Looks at everything once, then goes on looking."""
        await asyncio.gather(*(self._look(probe) for probe in self._probes))
        self._tasks = [asyncio.create_task(self._watch(probe)) for probe in self._probes]

    def announce_stop(self) -> None:
        """Says that no more work is taken; components stay as they were last seen."""
        self.stopping = True
        self._wake()

    async def stop(self) -> None:
        """Ends the probes."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task

    async def look_now(self, name: str) -> None:
        """Looks at a component at once, because something happened to it that should be told."""
        for probe in self._probes:
            if probe.name == name:
                await self._look(probe)

    def components(self) -> list[Component]:
        """Returns every component as it was last seen, by name."""
        return [self._components[name] for name in sorted(self._components)]

    def changed(self) -> asyncio.Event:
        """Returns an event that is set at the next change of a state, or of `stopping`."""
        return self._changed

    def _wake(self) -> None:
        # A new event for those who ask from now on: nobody has to clear one that others still wait for.
        self._changed.set()
        self._changed = asyncio.Event()

    async def _watch(self, probe: Probe) -> None:
        while True:
            await asyncio.sleep(probe.interval_s)
            await self._look(probe)

    async def _look(self, probe: Probe) -> None:
        try:
            # Not wait_for: Python 3.11's swallows a cancellation that comes as the look ends, and `stop` would wait for
            # a task that looks on for ever.
            async with asyncio.timeout(probe.timeout_s):
                finding = await probe.look()
        except TimeoutError:
            finding = Finding(HealthState.DOWN, f"no answer within {probe.timeout_s:g} s")
        except StewardError as error:
            finding = Finding(HealthState.DOWN, error.message)
        except (
            Exception
        ) as error:  # the edge of a background loop: one probe must not end the monitor
            log.error("probe failed", component=probe.name, exc_info=error)
            finding = Finding(HealthState.DOWN, "the probe failed; see the daemon's log")
        self._keep(
            Component(probe.name, finding.state, finding.detail, datetime.now(UTC), finding.facts)
        )

    def _keep(self, seen: Component) -> None:
        before = self._components.get(seen.name)
        self._components[seen.name] = seen
        if before is None or before.state is not seen.state:
            if before is not None or seen.state is not HealthState.HEALTHY:
                level = log.info if seen.state is HealthState.HEALTHY else log.warning
                level(
                    "component changed",
                    component=seen.name,
                    state=seen.state.name,
                    detail=seen.detail,
                )
            self._wake()
