"""Which batches: the filter that listings, counts, retries and purges share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from steward.v1 import validation_pb2 as pb

from steward_client import protobuf_values
from steward_client.validation.row_state import RowState, state_number


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFilter:
    """Which batches. The conditions that are set are joined by AND; one that is not set matches every batch.

    >>> BatchFilter(schema="language_session", state=RowState.OPEN)  # doctest: +ELLIPSIS
    BatchFilter(schema='language_session', ...)
    """

    schema: str | None = None
    """The type, such as `language_session`."""
    schema_version: str | None = None
    source_file: str | None = None
    """The exact name of the file."""
    create_after: datetime | None = None
    """Published at this time or later. A time without a zone is taken as local, as Python does."""
    create_before: datetime | None = None
    """Published before this time."""
    field: str | None = None
    """With a violation, when it was published, in this field."""
    keyword: str | None = None
    """With a violation, when it was published, of this keyword."""
    state: RowState | str | None = None
    """With a row in this state now."""

    def to_proto(self) -> pb.BatchFilter:
        """Returns the steward.v1 BatchFilter."""
        message = pb.BatchFilter(
            schema=protobuf_values.resource("schemas", self.schema or ""),
            schema_version=self.schema_version or "",
            source_file=self.source_file or "",
            field=self.field or "",
            keyword=self.keyword or "",
            state=state_number(self.state),
        )
        if self.create_after is not None:
            message.create_after.CopyFrom(protobuf_values.timestamp(self.create_after))
        if self.create_before is not None:
            message.create_before.CopyFrom(protobuf_values.timestamp(self.create_before))
        return message
