"""A message of an upload is read as protobuf reads it, whatever form it has on the wire."""

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st
from steward.v1 import validation_pb2
from stewardd.rpc.uploads import Chunk, MessageReader

Request = validation_pb2.ValidateBatchRequest
Payloads = validation_pb2.ValidatePayloadsRequest
read_message = MessageReader(Request)
SIZES = [0, 1, 125, 126, 127, 128, 16_381, 16_384, 2_097_149, 2_097_152]


def outcome(read, raw):
    """What reading comes to, in words that do not depend on who read."""
    try:
        message = read(raw)
    except DecodeError:
        return "no message"
    if isinstance(message, Chunk):
        assert message.size_bytes == len(raw)
        return message.data
    return message.chunk.data if message.WhichOneof("message") == "chunk" else message


@pytest.mark.parametrize("size", SIZES)
def test_a_chunk_of_any_size_is_its_bytes(size):
    data = bytes(range(256)) * (size // 256) + bytes(size % 256)
    raw = Request(chunk=Request.Chunk(data=data)).SerializeToString()
    assert read_message(raw) == Chunk(data, len(raw))


@given(st.binary(max_size=40))
def test_any_bytes_are_read_as_protobuf_reads_them(raw):
    assert outcome(read_message, raw) == outcome(Request.FromString, raw)


@given(st.binary(max_size=12), st.binary(max_size=300), st.binary(max_size=12), st.integers(0, 310))
def test_what_stands_around_a_chunk_or_is_cut_off_is_seen_by_both(before, data, after, cut):
    raw = before + Request(chunk=Request.Chunk(data=data)).SerializeToString() + after
    for form in (raw, raw[:cut], b"\x12\x80\x00" + raw, b"\x12\x83\x80\x00\n\x01x"):
        assert outcome(read_message, form) == outcome(Request.FromString, form)


def test_other_messages_are_themselves():
    for message in (
        Request(),
        Request(open=Request.Open(source_file="x.csv")),
        Request(commit=Request.Commit(size_bytes=7)),
    ):
        assert read_message(message.SerializeToString()) == message


def test_the_messages_of_payloads_are_read_in_the_same_way():
    read = MessageReader(Payloads)
    chunk = Payloads(chunk=Request.Chunk(data=b"{}\n")).SerializeToString()
    assert read(chunk) == Chunk(b"{}\n", len(chunk))
    opened = Payloads(open=Payloads.Open(keep_valid_payloads=True))
    assert read(opened.SerializeToString()) == opened
