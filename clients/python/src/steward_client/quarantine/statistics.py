"""Counts of the quarantine: the errors when the files were published, and the states of their rows now."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from steward.v1 import quarantine_pb2 as pb


@dataclass(frozen=True, slots=True)
class TopValue:
    """A value that fails often."""

    field: str
    keyword: str
    value: str = dataclasses.field(repr=False)
    """`***` where the field holds personal data."""
    count: int

    @classmethod
    def from_proto(cls, message: pb.QuarantineStats.TopValue) -> TopValue:
        """Reads a steward.v1 TopValue."""
        return cls(message.field, message.keyword, message.value, message.count)


@dataclass(frozen=True, slots=True)
class Day:
    """The batches of one day, in UTC, and the states of their rows now."""

    day: str
    """`YYYY-MM-DD`."""
    batches: int
    total_rows: int
    quarantined_rows: int
    resolved_rows: int
    discarded_rows: int
    open_rows: int

    @classmethod
    def from_proto(cls, message: pb.QuarantineStats.Day) -> Day:
        """Reads a steward.v1 Day."""
        return cls(
            day=message.day,
            batches=message.batches,
            total_rows=message.total_rows,
            quarantined_rows=message.quarantined_rows,
            resolved_rows=message.resolved_rows,
            discarded_rows=message.discarded_rows,
            open_rows=message.open_rows,
        )


@dataclass(frozen=True, slots=True)
class QuarantineStats:
    """Counts of one batch, or of many. `errors_by_…` are as the rows came, and never change.

    `total_rows == valid_rows + resolved_rows + discarded_rows + open_rows`, always.
    """

    batches: int
    total_rows: int
    valid_rows: int
    """Rows that passed from the start."""
    quarantined_rows: int
    """Rows that were quarantined, whatever became of them."""
    resolved_rows: int
    discarded_rows: int
    open_rows: int
    errors_by_field: Mapping[str, int]
    errors_by_keyword: Mapping[str, int]
    errors_by_schema: Mapping[str, int]
    errors_by_version: Mapping[str, int]
    """By `schemas/{schema}/versions/{version}`."""
    top_values: tuple[TopValue, ...]
    """The commonest invalid values, most frequent first; none unless they were asked for."""
    top_values_approximate: bool
    """The counts of top_values are lower bounds."""
    days: tuple[Day, ...]
    """Oldest first."""
    partial: bool
    """There are more batches than the daemon counts at once: the newest are counted."""

    @classmethod
    def from_proto(cls, message: pb.QuarantineStats) -> QuarantineStats:
        """Reads a steward.v1 QuarantineStats."""
        return cls(
            batches=message.batches,
            total_rows=message.total_rows,
            valid_rows=message.valid_rows,
            quarantined_rows=message.quarantined_rows,
            resolved_rows=message.resolved_rows,
            discarded_rows=message.discarded_rows,
            open_rows=message.open_rows,
            errors_by_field=MappingProxyType(dict(message.errors_by_field)),
            errors_by_keyword=MappingProxyType(dict(message.errors_by_keyword)),
            errors_by_schema=MappingProxyType(dict(message.errors_by_schema)),
            errors_by_version=MappingProxyType(dict(message.errors_by_version)),
            top_values=tuple(map(TopValue.from_proto, message.top_values)),
            top_values_approximate=message.top_values_approximate,
            days=tuple(map(Day.from_proto, message.days)),
            partial=message.partial,
        )
