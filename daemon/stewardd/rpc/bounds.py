"""The bound on a message, held where it can be said with reason and hint: grpc's own limit lies above it."""

from __future__ import annotations

from typing import Any

from stewardd.errors import MessageTooLarge


def check_size(message: Any, max_bytes: int) -> None:
    """Raises MessageTooLarge for a protobuf message that is larger."""
    size_bytes = message.ByteSize()
    if size_bytes > max_bytes:
        raise MessageTooLarge(f"a message of {size_bytes} bytes is over the limit of {max_bytes}")
