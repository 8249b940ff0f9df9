"""A bound on the bytes that a backup stores in a second: a token bucket, which is told the time and never waits."""

from __future__ import annotations

_LEAST_SEGMENT_BYTES = 1 << 20
_CREDIT_S = 1.0
_SEGMENT_S = 4.0


class TokenBucket:
    """Says how long bytes have to wait. The unused part of the last second is kept, and nothing at the beginning.

    More than that may be taken at once: then the bytes wait for what is owed, and so do those that are taken after.
    """

    def __init__(self, bytes_per_s: int, now_s: float) -> None:
        self._bytes_per_s = bytes_per_s
        self._free_bytes = 0.0
        self._looked_at_s = now_s

    def take(self, size_bytes: int, now_s: float) -> float:
        """Takes bytes, and returns how many seconds they have to wait from now."""
        earned = (now_s - self._looked_at_s) * self._bytes_per_s
        self._free_bytes = min(self._free_bytes + earned, self._bytes_per_s * _CREDIT_S)
        self._looked_at_s = now_s
        self._free_bytes -= size_bytes
        return max(0.0, -self._free_bytes / self._bytes_per_s)


def paced_segment_bytes(segment_bytes: int, bytes_per_s: int) -> int:
    """The size of segments under a bound (0: none): a segment goes out at once, so it must not hold many seconds."""
    if not bytes_per_s:
        return segment_bytes
    return min(segment_bytes, max(_LEAST_SEGMENT_BYTES, round(bytes_per_s * _SEGMENT_S)))
