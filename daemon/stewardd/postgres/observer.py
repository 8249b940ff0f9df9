"""What a pool tells the one who watches it: the breaker counts outages by it, the metrics count everything.

All methods are called in the pool's own event loop, in the middle of its work: they must return at once and raise
nothing. A look of the monitoring (the pool's watcher, Health) is never a connect nor a loan.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from stewardd.errors import StewardError
from stewardd.postgres.sqlstate import Verdict


class DrainReason(Enum):
    """Why a pool closed all connections that it had."""

    BROKEN = "broken"
    """One was broken, so that its neighbours, made to the same server, are dead as well."""
    OUTAGE = "outage"
    """The database was away and is back; connections of before may lead nowhere."""
    STANDBY = "standby"
    """The server is no primary any more."""
    RETARGETED = "retargeted"
    """The database's URL was read anew, and was another one."""
    ASKED = "asked"
    """A caller of `Pool.drain` wanted it."""


@dataclass(frozen=True, slots=True)
class Leak:
    """A loan that lasts longer than the bound: who borrowed, and where in the code."""

    task: str
    file: str
    line: int
    held_s: float


class ConnectionObserver(Protocol):
    """What happens to the connections of one pool."""

    def connected(self, duration_s: float, /) -> None:
        """A connection was made."""

    def connect_failed(self, verdict: Verdict, error: StewardError) -> None:
        """A connection could not be made."""

    def acquired(self, waited_s: float, /) -> None:
        """A caller got a connection."""

    def released(self, verdict: Verdict | None, held_s: float) -> None:
        """A caller gave a connection back; `verdict` is of the database error that ended the loan, None without one."""

    def database_seen(self) -> None:
        """The pool's watcher looked at the database after a failure, and found it there."""

    def drained(self, reason: DrainReason) -> None:
        """The pool closed all connections that it had."""

    def leak_found(self, leak: Leak) -> None:
        """A loan has passed the bound; told once a loan."""


class SilentObserver:
    """An observer that does nothing, for a pool that nobody watches."""

    def connected(self, duration_s: float, /) -> None:
        """Does nothing."""

    def connect_failed(self, verdict: Verdict, error: StewardError) -> None:
        """Does nothing."""

    def acquired(self, waited_s: float, /) -> None:
        """Does nothing."""

    def released(self, verdict: Verdict | None, held_s: float) -> None:
        """Does nothing."""

    def database_seen(self) -> None:
        """Does nothing."""

    def drained(self, reason: DrainReason) -> None:
        """Does nothing."""

    def leak_found(self, leak: Leak) -> None:
        """Does nothing."""
