"""What a pool tells of its connections, as the breaker counts it.

A connection that could not be made is a failure of its own. One that was made proves that the database takes
connections, not that it answers: a pooler before a dead server takes them too. So it ends a row of failed connects, and
never a row of failed loans; and it is a sight of the database, as good as the watcher's, to a breaker that is open.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg

from stewardd.errors import StewardError
from stewardd.postgres.breaker import Breaker, Ticket
from stewardd.postgres.observer import ConnectionObserver, DrainReason, Leak, SilentObserver
from stewardd.postgres.sqlstate import Verdict
from stewardd.postgres.target import DatabaseTarget

_MESSAGE_LIMIT = 300


@dataclass(frozen=True, slots=True)
class CountedFailure:
    """A failure that the breaker counted."""

    message: str
    time: datetime


class ConnectionReports:
    """The observer of one pool: it tells the breaker, and one more observer. `last_failure` is for people."""

    def __init__(
        self, target: DatabaseTarget, breaker: Breaker, clock: Callable[[], float]
    ) -> None:
        self._target = target
        self._breaker = breaker
        self._clock = clock
        self.follow(SilentObserver())
        # A loan with it found the database away, and none was answered since.
        self._failing_ticket: Ticket | None = None
        self.last_failure: CountedFailure | None = None

    def follow(self, observer: ConnectionObserver) -> None:
        """Passes all on to `observer` from now on; there is one."""
        self._following = observer
        # These two are called at each loan and count for nothing here (`loan_ended` counts loans): to pass a call on
        # costs a tenth of a microsecond, so that the pool calls the observer's own methods.
        self.acquired = observer.acquired
        self.released = observer.released

    def loan_answered(self, ticket: Ticket) -> None:
        """Tells the breaker that a loan ended well."""
        if ticket == self._failing_ticket:
            self._failing_ticket = None
        self._breaker.succeeded(ticket, self._clock())

    def loan_ended(
        self, ticket: Ticket, verdict: Verdict | None, error: BaseException | None
    ) -> None:
        """Tells the breaker how a loan ended, or why there was none; a `verdict` of None counts for nothing."""
        if verdict is Verdict.ANSWERED:
            self.loan_answered(ticket)
        elif verdict is Verdict.AWAY:
            if ticket == self._breaker.current_ticket():
                self._failing_ticket = ticket
            self._note(error)
            self._breaker.failed(ticket, self._clock())
        else:
            self._breaker.cancelled(ticket)

    def connected(self, duration_s: float) -> None:
        """A connection was made."""
        self._connect_answered()
        self._following.connected(duration_s)

    def connect_failed(self, verdict: Verdict, error: StewardError) -> None:
        """A connection could not be made."""
        if verdict is Verdict.AWAY:
            self._note(error)
            self._breaker.failed(self._breaker.current_ticket(), self._clock())
        else:
            self._connect_answered()
        self._following.connect_failed(verdict, error)

    def database_seen(self) -> None:
        """The pool's watcher found the database there."""
        self._breaker.database_seen(self._clock())
        self._following.database_seen()

    def drained(self, reason: DrainReason) -> None:
        """The pool closed all connections that it had."""
        self._following.drained(reason)

    def leak_found(self, leak: Leak) -> None:
        """A loan has passed the bound."""
        self._following.leak_found(leak)

    def _connect_answered(self) -> None:
        now_s, ticket = self._clock(), self._breaker.current_ticket()
        if ticket != self._failing_ticket:
            self._breaker.succeeded(ticket, now_s)
        self._breaker.database_seen(now_s)

    def _note(self, error: BaseException | None) -> None:
        message = "the connection was lost"
        if isinstance(error, StewardError):
            message = error.message
        elif isinstance(error, psycopg.Error):
            message = self._target.quote(error, _MESSAGE_LIMIT)
        self.last_failure = CountedFailure(message, datetime.now(UTC))
