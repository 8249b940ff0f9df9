"""How far a dump is and how long it will go on, estimated from the sizes of its tables: pure functions.

The catalog knows sizes and rows as vacuum and ANALYZE last left them. The server says of the tables that are being read
how many rows were read; of the others it is known how many are finished. pg_dump reads large tables first, so that what
is finished and was never seen being read is small.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from stewardd.postgres.dump_catalog import DumpTable

_LEAST_TABLE_BYTES = 8192  # an empty table takes its time too
_LEAST_SHARE = 0.02
_LEAST_ELAPSED_S = 2.0


@dataclass(frozen=True, slots=True)
class TableWeight:
    """A table by its oid: its size, and its rows; 0 where they are not known."""

    oid: int
    size_bytes: int
    rows: int


def weights_of(tables: Sequence[DumpTable]) -> list[TableWeight]:
    """The weights of tables that have rows of their own."""
    return [
        TableWeight(each.oid, max(each.size_bytes, _LEAST_TABLE_BYTES), max(each.rows, 0))
        for each in tables
    ]


def dumped_bytes(
    weights: Collection[TableWeight],
    copied_rows: Mapping[int, int],
    running: Collection[int],
    finished_count: int,
) -> int:
    """How much of the tables' size is dumped.

    `copied_rows` are those of every table that was ever seen being read, `running` the tables of which some are being
    read now, and `finished_count` the number of finished ones, seen or not.
    """
    done_bytes, seen_finished, unseen_bytes, unseen_count = 0.0, 0, 0, 0
    for each in weights:
        if each.oid in running:
            share = copied_rows[each.oid] / each.rows if each.rows else 0.0
            done_bytes += each.size_bytes * min(share, 1.0)
        elif each.oid in copied_rows:
            done_bytes += each.size_bytes
            seen_finished += 1
        else:
            unseen_bytes += each.size_bytes
            unseen_count += 1
    if unseen_count:
        unseen_finished = min(max(finished_count - seen_finished, 0), unseen_count)
        done_bytes += unseen_bytes * unseen_finished / unseen_count
    return round(done_bytes)


def time_left_s(shares: Collection[float], elapsed_s: float) -> float | None:
    """How long works that began at one time go on, by how far the slowest of them is; None while that says nothing."""
    share = min(shares, default=0.0)
    if share < _LEAST_SHARE or elapsed_s < _LEAST_ELAPSED_S:
        return None
    return round(elapsed_s * (1 - min(share, 1.0)) / share, 1)
