"""Counts in messages, so that a test finds each in its own place."""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf.message import Message


def counts(message: Message) -> dict[str, int]:
    """The counts of a message, by their names."""
    return {
        field.name: getattr(message, field.name)
        for field in message.DESCRIPTOR.fields
        if field.cpp_type in (field.CPPTYPE_INT32, field.CPPTYPE_INT64)
    }


def number(message: Message, numbers: Iterator[int]) -> None:
    """Puts another number into each count, so that none is taken for its neighbour."""
    for name in counts(message):
        setattr(message, name, next(numbers))
