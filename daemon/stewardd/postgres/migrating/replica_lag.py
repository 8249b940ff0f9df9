"""How far the slowest replica is behind, from positions in the write-ahead log.

pg_stat_replication's `replay_lag` is of what was replayed last: it stands still while a replica replays nothing, as one
does that a long query holds up. So it is remembered when the primary was at which position: a replica is behind since
the first moment at which the primary was further than the replica is now.
"""

from __future__ import annotations

from collections import deque

_MOST_POSITIONS = 10_000


class ReplicaLag:
    """Positions of the primary with their times; bounded, for a replica that stands still for days."""

    def __init__(self) -> None:
        self._positions: deque[tuple[float, int]] = deque(maxlen=_MOST_POSITIONS)

    def note(self, now_s: float, written: int, replayed: int | None) -> float:
        """Takes in how far the primary and its slowest replica are, in bytes; returns the lag in seconds.

        `replayed` is None where there is no replica.
        """
        if replayed is None:
            self._positions.clear()
            return 0.0
        self._positions.append((now_s, written))
        while self._positions and self._positions[0][1] <= replayed:
            self._positions.popleft()
        return now_s - self._positions[0][0] if self._positions else 0.0
