"""Bytes that are no message of their method: refused by name, on every kind of method, with one line of log."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import grpc
import pytest
from steward.v1 import validation_pb2 as v

from tests.acceptance.conftest import LANGUAGE, rows
from tests.support.calls import Refusal, channel, opening, refusal, upload, validate
from tests.support.daemon import Daemon

GARBAGE = b"\xff\xfe these bytes are nobody's \x00"
WRONG_UTF8 = b"\x0a\x02\xff\xff"
SECRET = "nobody's"
UNARY = (
    "/steward.v1.BackupService/GetBackup",
    "/steward.v1.SystemService/Health",
    "/grpc.health.v1.Health/Check",
    "/google.longrunning.Operations/GetOperation",
)
STREAMS_OUT = (
    "/steward.v1.ValidationService/DownloadBatchFile",
    "/steward.v1.OperationService/WatchOperation",
    "/grpc.health.v1.Health/Watch",
)
BOTH_WAYS = (
    "/steward.v1.ValidationService/ValidateBatch",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
)


def refused(address: str, method: str, messages: Iterable[bytes]) -> Refusal:
    """Sends raw bytes, and says how they were refused."""
    raw: Any  # the stubs do not know that without a serializer bytes are sent as they are
    with channel(address) as raw, pytest.raises(grpc.RpcError) as caught:
        if method in UNARY:
            raw.unary_unary(method)(next(iter(messages)), timeout=20)
        elif method in STREAMS_OUT:
            list(raw.unary_stream(method)(next(iter(messages)), timeout=20))
        else:
            list(raw.stream_stream(method)(iter(messages), timeout=20))
    return refusal(caught.value)


def check(daemon: Daemon, method: str, messages: Iterable[bytes]) -> Refusal:
    before = len(daemon.raw)
    said = refused(daemon.address, method, messages)
    assert (said.code, said.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED_MESSAGE")
    assert said.hint
    assert method in said.message
    assert validate(daemon.address, upload(LANGUAGE + rows(1))).total_rows == 1
    new = [line for line in daemon.raw[before:] if "MALFORMED" in line or "Traceback" in line]
    assert len(new) == 1
    assert "Traceback" not in new[0]
    assert SECRET not in "".join(daemon.raw[before:])
    return said


@pytest.mark.parametrize("method", UNARY + STREAMS_OUT + BOTH_WAYS)
def test_garbage_is_refused_by_its_name_on_every_kind_of_method(daemon, method):
    check(daemon, method, [GARBAGE])


@pytest.mark.parametrize(
    "method", ["/steward.v1.BackupService/GetBackup", "/steward.v1.ValidationService/ValidateBatch"]
)
def test_text_that_is_no_utf8_is_no_message(daemon, method):
    message = WRONG_UTF8 if method in UNARY else b"\x0a\x04\x1a\x02\xff\xff"
    check(daemon, method, [message])


@pytest.mark.parametrize("good", [1, 2, 3])
def test_a_later_message_of_a_stream_is_refused_with_its_number_and_nothing_is_published(
    daemon, good
):
    messages = [
        opening().SerializeToString(),
        *(
            v.ValidateBatchRequest(
                chunk=v.ValidateBatchRequest.Chunk(data=LANGUAGE if n == 0 else rows(1))
            ).SerializeToString()
            for n in range(good - 1)
        ),
        GARBAGE,
    ]
    said = check(daemon, BOTH_WAYS[0], messages)
    assert f"message {good + 1} of the stream" in said.message
