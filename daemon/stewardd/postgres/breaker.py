"""The circuit breaker of one database: it refuses callers at once while the database is away.

    CLOSED ──── failures in a row ────▶ OPEN ──── its time is over, or the database was seen ────▶ HALF_OPEN
      ▲                                  ▲                                                             │
      ├──────────────────────────────────┼──────────────────── a probe succeeds ───────────────────────┤
      │                                  └───────────────────── a probe fails ─────────────────────────┘
      └── reset ── FORCED_OPEN, from any state by `force_open`; neither time nor the database's return ends it

Pure: time and chance come in as arguments. It has no clock, starts no task and waits for nothing. It does not judge
errors either: `database.py` tells it which of them mean that the database is away.

The hard idea is the ticket. An answer counts only in the state in which it was asked for, so each admission gets a
number, and a report with a number of an earlier state is dropped. In HALF_OPEN the number is a lease: a probe that is
cancelled gives it back, and one that never reports loses it when its time is over, so that the breaker can't stick.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import NewType

from stewardd.errors import CircuitOpen

Ticket = NewType("Ticket", int)
_NOT_COUNTED = Ticket(0)


class BreakerState(Enum):
    """What a breaker does with callers."""

    CLOSED = "closed"
    """Admits all."""
    OPEN = "open"
    """Refuses all."""
    HALF_OPEN = "half_open"
    """Admits a few, the probes, and refuses all others until one of these has reported."""
    FORCED_OPEN = "forced_open"
    """Refuses all until somebody resets it."""


class TransitionCause(Enum):
    """Why a breaker changed its state."""

    FAILURES = "failures"
    TIME_OVER = "time_over"
    DATABASE_SEEN = "database_seen"
    PROBE_SUCCEEDED = "probe_succeeded"
    PROBE_FAILED = "probe_failed"
    RESET = "reset"
    FORCED = "forced"


@dataclass(frozen=True, slots=True)
class BreakerOptions:
    """When a breaker opens and for how long. `open_s` is spread by `jitter`, a share of it to either side."""

    failures: int = 5
    open_s: float = 60.0
    jitter: float = 0.1
    probes: int = 1
    lease_s: float = 10.0
    retry_after_s: float = 1.0
    """The longest that a refused caller is told to wait: the database is looked for more often than that."""


@dataclass(frozen=True, slots=True)
class Transition:
    """One change of state, at a moment of the monotonic clock."""

    before: BreakerState
    after: BreakerState
    cause: TransitionCause
    at_s: float


@dataclass(frozen=True, slots=True)
class BreakerView:
    """A breaker at one moment. `since_s` and `half_open_at_s` are moments of the monotonic clock.

    `failures` are those in a row, `half_open_at_s` is None unless the state is OPEN, `probes` are out now; `opened`
    and `refused` count since the daemon's start.
    """

    state: BreakerState
    since_s: float
    failures: int
    half_open_at_s: float | None
    probes: int
    opened: int
    refused: int


Listener = Callable[[Transition], None]


class Breaker:
    """The breaker of the database `name`. `chance` returns numbers from 0 to 1, such as `random.random`.

    Every `now_s` is of one monotonic clock. Each ticket is reported once, by `succeeded`, `failed` or `cancelled`.
    """

    def __init__(
        self, name: str, options: BreakerOptions, chance: Callable[[], float], now_s: float
    ) -> None:
        self._name = name
        self._options = options
        self._chance = chance
        self._listeners: list[Listener] = []
        self._state = BreakerState.CLOSED
        self._since_s = now_s
        self._failures = 0
        self._half_open_at_s = 0.0
        self._last_ticket = 1
        # All callers of one CLOSED time share a ticket. In the other states nobody is given it.
        self._ticket = Ticket(1)
        self.calm_ticket: Ticket | None = self._ticket
        """The ticket of all callers while the state is CLOSED and the last report was no failure, else None.

        Nearly every loan begins and ends with this ticket. Such a loan need not call `admit`, and its success changes
        nothing, so that it need not be reported: two reads of an attribute in place of four calls.
        """
        self._leases: dict[Ticket, float] = {}
        self._opened = 0
        self._refused = 0

    def listen(self, listener: Listener) -> None:
        """Calls `listener` at every change of state, inside of the call that caused it. It must not raise."""
        self._listeners.append(listener)

    def admit(self, now_s: float) -> Ticket:
        """Admits a caller. Raises: CircuitOpen."""
        if self._state is BreakerState.CLOSED:
            return self._ticket
        self._pass_time(now_s)
        if self._state is BreakerState.HALF_OPEN and len(self._leases) < self._options.probes:
            ticket = self._new_ticket()
            self._leases[ticket] = now_s + self._options.lease_s
            return ticket
        self._refused += 1
        raise self._refusal(now_s)

    def is_probe(self, ticket: Ticket) -> bool:
        """Whether this caller was admitted to find out how the database is."""
        return ticket in self._leases

    def succeeded(self, ticket: Ticket, now_s: float) -> None:
        """The database answered this caller; an error that it answered with is an answer too."""
        if ticket == self._ticket:
            self._failures = 0
            self.calm_ticket = ticket
        elif self._leases and self._ends_lease(ticket, now_s):
            self._move(BreakerState.CLOSED, TransitionCause.PROBE_SUCCEEDED, now_s)

    def failed(self, ticket: Ticket, now_s: float) -> None:
        """This caller found the database away."""
        if ticket == self._ticket:
            self._failures += 1
            self.calm_ticket = None
            if self._failures >= self._options.failures:
                self._move(BreakerState.OPEN, TransitionCause.FAILURES, now_s)
        elif self._leases and self._ends_lease(ticket, now_s):
            self._move(BreakerState.OPEN, TransitionCause.PROBE_FAILED, now_s)

    def cancelled(self, ticket: Ticket) -> None:
        """This caller went away, and found out nothing."""
        self._leases.pop(ticket, None)

    def current_ticket(self) -> Ticket:
        """The ticket of what is not a caller, such as a connection that the pool makes: it is never a probe."""
        return self._ticket if self._state is BreakerState.CLOSED else _NOT_COUNTED

    def database_seen(self, now_s: float) -> None:
        """Somebody who looks for the database has seen it: waiting longer would help nobody."""
        if self._state is BreakerState.OPEN:
            self._move(BreakerState.HALF_OPEN, TransitionCause.DATABASE_SEEN, now_s)

    def reset(self, now_s: float) -> None:
        """Closes it, whatever its state."""
        self._move(BreakerState.CLOSED, TransitionCause.RESET, now_s)

    def force_open(self, now_s: float) -> None:
        """Opens it until the next `reset`."""
        self._move(BreakerState.FORCED_OPEN, TransitionCause.FORCED, now_s)

    def view(self, now_s: float) -> BreakerView:
        """The breaker as it is at this moment."""
        self._pass_time(now_s)
        is_open = self._state is BreakerState.OPEN
        return BreakerView(
            state=self._state,
            since_s=self._since_s,
            failures=self._failures,
            half_open_at_s=self._half_open_at_s if is_open else None,
            probes=len(self._leases),
            opened=self._opened,
            refused=self._refused,
        )

    def _pass_time(self, now_s: float) -> None:
        """Does what is due: nobody runs a timer for it."""
        if self._state is BreakerState.OPEN and now_s >= self._half_open_at_s:
            self._move(BreakerState.HALF_OPEN, TransitionCause.TIME_OVER, now_s)
        for ticket in [each for each, end_s in self._leases.items() if now_s >= end_s]:
            del self._leases[ticket]

    def _ends_lease(self, ticket: Ticket, now_s: float) -> bool:
        """Takes a probe's lease back, and says whether it still ran."""
        end_s = self._leases.pop(ticket, None)
        return end_s is not None and now_s < end_s

    def _move(self, after: BreakerState, cause: TransitionCause, now_s: float) -> None:
        before, self._state = self._state, after
        self._failures = 0
        self._leases.clear()
        self._ticket = self._new_ticket()
        self.calm_ticket = self._ticket if after is BreakerState.CLOSED else None
        if after is BreakerState.OPEN:
            spread = 1 + self._options.jitter * (2 * self._chance() - 1)
            self._half_open_at_s = now_s + self._options.open_s * spread
        if before is after:
            return
        self._since_s = now_s
        if after in (BreakerState.OPEN, BreakerState.FORCED_OPEN):
            self._opened += 1
        for listener in self._listeners:
            listener(Transition(before, after, cause, now_s))

    def _new_ticket(self) -> Ticket:
        self._last_ticket += 1
        return Ticket(self._last_ticket)

    def _refusal(self, now_s: float) -> CircuitOpen:
        name, options = self._name, self._options
        metadata = {"database": name, "state": self._state.value}
        if self._state is BreakerState.FORCED_OPEN:
            return CircuitOpen(
                f"the circuit breaker of database {name!r} was opened by hand",
                hint=f"`steward db breaker reset {name}` closes it",
                metadata=metadata,
                retry_after_s=options.open_s,
            )
        if self._state is BreakerState.HALF_OPEN:
            why = "is half-open: another caller tries the database just now"
            due_s = min(self._leases.values())
        else:
            why = "is open: the database is away"
            due_s = self._half_open_at_s
        return CircuitOpen(
            f"the circuit breaker of database {name!r} {why}",
            metadata=metadata,
            retry_after_s=min(due_s - now_s, options.retry_after_s),
        )
