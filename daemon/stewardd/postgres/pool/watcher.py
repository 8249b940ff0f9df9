"""The pool's watcher: it looks at the database after a failure, until the database is back.

A look goes by a connection of its own, so that it says how the database is and not how busy the pool is. Several who
want to know share one look. Whatever fails with a database that is away asks for another look; that way whoever counts
failures (the breaker) also hears of the return, in whatever order the two come.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import psycopg

from stewardd.errors import DatabaseDown, DatabaseFull, DatabaseRefused, StewardError
from stewardd.postgres.probe import probe
from stewardd.postgres.target import DatabaseTarget
from stewardd.telemetry import logger

log = logger("postgres")

Trouble = DatabaseDown | DatabaseRefused
_LOOK_TIMEOUT_S = 1.5
_LONG_WAIT_S = 1.0
_PAUSE_WHILE_WELL_S = 2.0


class Watcher:
    """`trouble` is what the last look found, None when the database was there.

    `on_seen` is called, with the trouble of before, when a look finds the database there.
    """

    def __init__(
        self,
        target: Callable[[], DatabaseTarget],
        on_seen: Callable[[Trouble | None], None],
        clock: Callable[[], float],
    ) -> None:
        self._target = target
        self._on_seen = on_seen
        self._clock = clock
        self._suspected = False
        self._is_closed = False
        self._looking: asyncio.Task[None] | None = None
        self.trouble: Trouble | None = None
        self.seen_at = float("-inf")

    def suspect(self) -> None:
        """Asks for a look at the next turn."""
        self._suspected = True

    def is_due(self, waiting_since: float | None) -> bool:
        """Whether to look: after a failure, while trouble lasts, or when a caller waits for long without a reason."""
        if self._suspected or self.trouble is not None:
            return True
        now = self._clock()
        return (
            waiting_since is not None
            and now - waiting_since > _LONG_WAIT_S
            and now - self.seen_at > _PAUSE_WHILE_WELL_S
        )

    async def look(self) -> None:
        """Looks once, together with all who want to know at this moment; not at all once it is closed."""
        if self._is_closed:
            return
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look(), name="pool look")
        looking = self._looking
        await asyncio.wait({looking})  # neither side's cancel is the other's
        if not looking.cancelled():
            looking.result()

    def explain(self) -> Trouble | None:
        """The trouble, as an error of the caller's own: one that is raised twice mixes its tracebacks."""
        trouble = self.trouble
        if trouble is None:
            return None
        return type(trouble)(trouble.message, hint=trouble.hint, metadata=trouble.metadata)

    async def close(self) -> None:
        """Ends a look that is under way, and begins none any more."""
        self._is_closed = True
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait({self._looking})

    async def _look(self) -> None:
        self._suspected = False
        target = self._target()
        try:
            await probe(target, _LOOK_TIMEOUT_S)
        except (DatabaseDown, DatabaseRefused) as trouble:
            if type(self.trouble) is not type(trouble):
                event = "database full" if isinstance(trouble, DatabaseFull) else "database lost"
                log.warning(event, database=target.name, error=trouble.message)
            self.trouble = trouble
            return
        except (StewardError, psycopg.Error, OSError):
            # What nobody foresaw: without another look the pool would not come back.
            log.exception("looking at the database failed", database=target.name)
            self._suspected = True
            return
        before, self.trouble = self.trouble, None
        self.seen_at = self._clock()
        if before is not None:
            log.warning("database back", database=target.name)
        self._on_seen(before)
