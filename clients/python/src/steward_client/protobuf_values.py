"""Names, times and durations in messages: resource names to send, and Python's own types from what came."""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp


def resource(collection: str, name: str) -> str:
    """Returns the full resource name for a full name or a bare id.

    >>> resource("batches", "0193")
    'batches/0193'
    >>> resource("batches", "batches/0193")
    'batches/0193'
    """
    return name if not name or name.startswith(f"{collection}/") else f"{collection}/{name}"


def time(message: Timestamp) -> datetime:
    """Returns an aware datetime in UTC; below a microsecond it is cut."""
    return message.ToDatetime(tzinfo=UTC)


def timestamp(moment: datetime) -> Timestamp:
    """Returns a moment to send; one without a zone is taken as local time, as Python does everywhere."""
    message = Timestamp()
    message.FromDatetime(moment.astimezone(UTC))
    return message


def seconds(duration: Duration) -> float:
    """Returns a duration in seconds."""
    return duration.ToTimedelta().total_seconds()
