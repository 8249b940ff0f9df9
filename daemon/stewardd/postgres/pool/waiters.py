"""The callers that wait for a connection: served in the order in which they came."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable

from stewardd.errors import StewardError
from stewardd.postgres.pool.connection import PooledConnection

Answer = PooledConnection | StewardError | None
"""What a caller gets in the end: a connection, an error to raise, or None when its time is over."""
Place = asyncio.Future[Answer]


class Waiters:
    """A queue that a caller may leave from anywhere, at no cost to the others."""

    def __init__(self) -> None:
        self._places: OrderedDict[Place, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._places)

    @property
    def since(self) -> float | None:
        """When the caller that waits longest came, or None when nobody waits."""
        return next(iter(self._places.values()), None)

    def join(self, now: float) -> Place:
        """Takes the last place."""
        place: Place = asyncio.get_running_loop().create_future()
        self._places[place] = now
        return place

    def leave(self, place: Place) -> None:
        """Gives a place up; a caller that was served has left already."""
        self._places.pop(place, None)

    def serve(self, connection: PooledConnection) -> bool:
        """Hands a connection to the first in the queue. Returns whether somebody was there to take it."""
        while self._places:
            place, _ = self._places.popitem(last=False)
            if not place.done():  # a cancelled caller is still here until its task runs
                place.set_result(connection)
                return True
        return False

    def refuse_all(self, make_error: Callable[[], StewardError]) -> None:
        """Ends the waiting of all, each with an error of its own."""
        while self._places:
            place, _ = self._places.popitem(last=False)
            if not place.done():
                place.set_result(make_error())
