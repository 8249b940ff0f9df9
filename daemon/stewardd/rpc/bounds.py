"""The bound on a message, held where it can be said with reason and hint: grpc's own limit lies above it."""

from __future__ import annotations

from stewardd.errors import MessageTooLarge


def check_size(size_bytes: int, max_bytes: int) -> None:
    """Raises MessageTooLarge for a message of more bytes."""
    if size_bytes > max_bytes:
        raise MessageTooLarge(f"a message of {size_bytes} bytes is over the limit of {max_bytes}")
