"""The messages of ValidateBatch off the wire, a Chunk without protobuf.

An upload is nearly all Chunks, and protobuf copies their bytes twice: into its message, and out of it. Here they stay
where they came, unless they are few, and the engine reads them there. Only the one form that every protobuf library
writes for a Chunk is read here, the other forms that the encoding allows, and all other messages, by protobuf itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from steward.v1 import validation_pb2

Request = validation_pb2.ValidateBatchRequest

# Field number and wire type (a length and so many bytes) in one byte, by the encoding of Protocol Buffers.
LENGTH_DELIMITED = 2
CHUNK = Request.DESCRIPTOR.fields_by_name["chunk"].number << 3 | LENGTH_DELIMITED
DATA = Request.Chunk.DESCRIPTOR.fields_by_name["data"].number << 3 | LENGTH_DELIMITED

VIEW_BYTES = 16 * 1024
"""A view of less takes more memory than a copy: it keeps the message, and is an object of its own."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """The next bytes of a file; where they are many, a view of the message. `size_bytes` is that of all of it."""

    data: bytes | memoryview
    size_bytes: int


def read_message(raw: bytes) -> Request | Chunk:
    """Returns the message: a Chunk, or a Request of any other kind. Raises google.protobuf.message.DecodeError."""
    begin = _content(raw, 0, CHUNK)
    if begin:
        begin = _content(raw, begin, DATA)
    if begin:
        whole = raw if len(raw) < VIEW_BYTES else memoryview(raw)
        return Chunk(whole[begin:], len(raw))
    message = Request.FromString(raw)
    if message.WhichOneof("message") == "chunk":
        return Chunk(message.chunk.data, len(raw))
    return message


def _content(raw: bytes, position: int, tag: int) -> int:
    """Returns where the content of a field begins that takes up all the rest of `raw`; 0 where none does."""
    if position + 1 >= len(raw) or raw[position] != tag:
        return 0
    position += 1
    length = shift = 0
    for byte in raw[position : position + 5]:
        position += 1
        length |= (byte & 0x7F) << shift
        if byte < 0x80:
            return position if position + length == len(raw) else 0
        shift += 7
    return 0
