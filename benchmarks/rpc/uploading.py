"""Sends a file to a ValidateBatch: `python -m benchmarks.rpc.uploading ADDRESS CSV once|forever`.

The messages are made before the clock starts, so that the client costs as little as it can. It prints,
for every upload, how long it took from the first message to the last answer; `forever` ends by a signal.
"""

import itertools
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import google_crc32c
import grpc
from steward.v1 import validation_pb2 as v
from stewardd.memory import tune_allocator

from benchmarks.rpc.sink import METHOD

CHUNK_BYTES = 1 << 20
OPTIONS = [("grpc.max_send_message_length", -1)]
Request = v.ValidateBatchRequest


def messages(body: bytes) -> list[bytes]:
    """Return the whole upload, as it goes over the wire."""
    opening = Request.Open(source_file="bench.csv", upload=Request.Upload())
    crc32c = google_crc32c.value(body)
    sent = [Request(open=opening)]
    sent += (
        Request(chunk=Request.Chunk(data=body[begin : begin + CHUNK_BYTES]))
        for begin in range(0, len(body), CHUNK_BYTES)
    )
    sent.append(Request(commit=Request.Commit(size_bytes=len(body), crc32c=crc32c)))
    return [message.SerializeToString() for message in sent]


def upload(channel: grpc.Channel, sent: list[bytes]) -> float:
    """Send it; return the seconds until the last answer."""
    began_s = time.monotonic()
    call: grpc.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(METHOD)
    for _ in call(iter(sent)):
        pass
    return time.monotonic() - began_s


def main(address: str, path: str, how_often: str) -> None:
    """Upload once, or until the process ends."""
    tune_allocator()
    sent = messages(Path(path).read_bytes())
    uploads: Iterator[int] = itertools.count() if how_often == "forever" else iter(range(1))
    with grpc.insecure_channel(address, OPTIONS) as channel:
        grpc.channel_ready_future(channel).result(timeout=30)
        for _ in uploads:
            print(upload(channel, sent), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
