"""Whether the daemon takes work, check by check.

It does when it serves, is not stopping, holds its lease and reaches its repository: without these a batch could not be
published. A database that is away keeps it from no validation, so it is named and no more. What is said here is a name
and a state: whoever asks has not said who they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from stewardd.health.monitor import Monitor
from stewardd.health.state import HealthState

NEEDED = ("repository",)


@dataclass(frozen=True, slots=True)
class Check:
    """One check; one that is not `needed` keeps the daemon from nothing."""

    name: str
    is_met: bool
    said: str
    needed: bool = True

    @property
    def keeps_from_work(self) -> bool:
        """Whether the daemon takes no work because of it."""
        return self.needed and not self.is_met


class Readiness:
    """Asked at any time, also while the daemon starts and stops. `is_serving` is set when calls are taken."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor
        self._is_lease_valid: Callable[[], bool] = lambda: False
        self.is_serving = False

    def use_lease(self, is_valid: Callable[[], bool]) -> None:
        """Says how the lease is looked at, as soon as there is one."""
        self._is_lease_valid = is_valid

    @property
    def is_ready(self) -> bool:
        """Whether the daemon takes work."""
        return not any(check.keeps_from_work for check in self.checks())

    def checks(self) -> list[Check]:
        """Returns every check as it is now."""
        if not self.is_serving:
            return [Check("serving", False, "the daemon is starting")]
        stopping = self._monitor.stopping
        held = self._is_lease_valid()
        found = [
            Check("serving", not stopping, "the daemon is stopping" if stopping else "ok"),
            Check("lease", held, "ok" if held else "lost; nothing can be published"),
        ]
        for component in self._monitor.components():
            needed = component.name in NEEDED
            said = component.state.name.lower()
            if not needed:
                said += ", and not needed to take work"
            is_met = component.state is not HealthState.DOWN
            found.append(Check(component.name, is_met, said, needed))
        return found
