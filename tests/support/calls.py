"""Calls as any gRPC client makes them: the raw messages, so that the contract is tested and not the SDK."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import google_crc32c
import grpc
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from grpc_status import rpc_status
from steward.v1 import validation_pb2 as v
from steward.v1 import validation_pb2_grpc

Request = v.ValidateBatchRequest
CHUNK_BYTES = 1 << 20


def channel(address: str) -> grpc.Channel:
    return grpc.insecure_channel(address, [("grpc.max_send_message_length", -1)])


def crc32c(body: bytes) -> int:
    return int.from_bytes(google_crc32c.Checksum(body).digest(), "big")


def opening(source_file: str = "test.csv", **fields: Any) -> v.ValidateBatchRequest:
    if "uri" not in fields:
        fields["upload"] = Request.Upload()
    return Request(open=Request.Open(source_file=source_file, **fields))


def upload(
    body: bytes, *, chunk_bytes: int = CHUNK_BYTES, **fields: Any
) -> Iterator[v.ValidateBatchRequest]:
    """The messages of a whole upload."""
    yield opening(**fields)
    for begin in range(0, len(body), chunk_bytes):
        yield Request(chunk=Request.Chunk(data=body[begin : begin + chunk_bytes]))
    yield Request(commit=Request.Commit(size_bytes=len(body), crc32c=crc32c(body)))


def validate(
    address: str, messages: Iterable[v.ValidateBatchRequest], timeout_s: float = 60
) -> v.Batch:
    """Sends the messages and returns the batch of the Summary."""
    return list(responses(address, messages, timeout_s))[-1].summary.batch


def responses(
    address: str, messages: Iterable[v.ValidateBatchRequest], timeout_s: float = 60
) -> Iterator[v.ValidateBatchResponse]:
    with channel(address) as open_channel:
        stub = validation_pb2_grpc.ValidationServiceStub(open_channel)
        yield from stub.ValidateBatch(iter(messages), timeout=timeout_s)


def download(address: str, batch: str, file: str, offset_bytes: int = 0) -> bytes:
    request = v.DownloadBatchFileRequest(name=f"{batch}/files/{file}", offset_bytes=offset_bytes)
    with channel(address) as open_channel:
        stub = validation_pb2_grpc.ValidationServiceStub(open_channel)
        return b"".join(response.data for response in stub.DownloadBatchFile(request, timeout=60))


def batches(address: str) -> list[v.Batch]:
    """Every batch, page by page."""
    found: list[v.Batch] = []
    token = ""
    with channel(address) as open_channel:
        stub = validation_pb2_grpc.ValidationServiceStub(open_channel)
        while True:
            page = stub.ListBatches(v.ListBatchesRequest(page_size=7, page_token=token), timeout=30)
            found += page.batches
            token = page.next_page_token
            if not token:
                return found


@dataclass(frozen=True)
class Refusal:
    """A gRPC error as steward gives it."""

    code: grpc.StatusCode
    message: str
    reason: str
    hint: str
    metadata: dict[str, str]
    fields: tuple[str, ...]
    retry_after_s: float | None


def refusal(error: grpc.RpcError) -> Refusal:
    """Takes an error apart; one without reason and domain fails the test."""
    status = rpc_status.from_call(error)  # type: ignore[arg-type]
    assert status is not None, f"no details: {error}"
    info, bad, retry = ErrorInfo(), BadRequest(), RetryInfo()
    retry_after_s = None
    for detail in status.details:
        if detail.Is(ErrorInfo.DESCRIPTOR):
            detail.Unpack(info)
        elif detail.Is(BadRequest.DESCRIPTOR):
            detail.Unpack(bad)
        elif detail.Is(RetryInfo.DESCRIPTOR):
            detail.Unpack(retry)
            retry_after_s = retry.retry_delay.ToTimedelta().total_seconds()
    assert info.domain == "steward.v1"
    metadata = dict(info.metadata)
    return Refusal(
        code=error.code(),
        message=status.message,
        reason=info.reason,
        hint=metadata.pop("hint", ""),
        metadata=metadata,
        fields=tuple(violation.field for violation in bad.field_violations),
        retry_after_s=retry_after_s,
    )
