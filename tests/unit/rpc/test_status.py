"""The one table from errors to statuses, and what a status may weigh."""

from collections.abc import Iterator

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from steward.v1 import system_pb2
from stewardd import errors
from stewardd.health.state import HealthState
from stewardd.postgres.breaker import Breaker, BreakerOptions
from stewardd.rpc.status import CODES, MAX_TEXT_BYTES, code_named, code_of, stored_status, to_status


def every(cls: type[errors.StewardError]) -> Iterator[type[errors.StewardError]]:
    yield cls
    for child in cls.__subclasses__():
        yield from every(child)


EVERY = sorted(set(every(errors.StewardError)), key=lambda cls: cls.__name__)
CODES_OF_CLIENTS = set(grpc.StatusCode) - {grpc.StatusCode.OK, grpc.StatusCode.UNKNOWN}


@pytest.mark.parametrize("cls", EVERY)
def test_every_error_has_a_code_and_stored_it_has_the_same(cls):
    error = cls("it is so")
    assert code_of(error) in CODES_OF_CLIENTS
    assert (
        cls.__name__ == "StewardError"
        or code_of(error) is not CODES[errors.StewardError]
        or (issubclass(cls, errors.Failed))
    ), "no line of the table is for this error"
    assert code_named(cls.reason) is code_of(error)


def test_a_reason_means_one_error():
    reasons = [cls.reason for cls in EVERY]
    assert len(reasons) == len(set(reasons))


def test_a_reason_of_another_version_is_internal():
    assert code_named("NOT_HEARD_OF") is grpc.StatusCode.INTERNAL


@pytest.mark.parametrize("letter", ["x", "\N{SNOWMAN}", "%"])
def test_a_status_fits_into_trailers_whatever_it_quotes(letter):
    text = letter * 100_000
    error = errors.InvalidRequest(text, hint=text, field="open", metadata={"missing": text})
    for status in (to_status(error), stored_status("CORRUPT", text, text)):
        percent_encoded = 3 * len(status.message.encode())
        base64 = len(status.SerializeToString()) * 4 // 3
        assert percent_encoded + base64 < 8 * 1024
        assert len(status.message.encode()) <= MAX_TEXT_BYTES + len("…".encode())
        assert status.message.endswith("…")


def test_states_have_the_numbers_of_the_contract():
    theirs = system_pb2.HealthResponse.State
    for state in HealthState:
        assert theirs.Value(f"STATE_{state.name}") == state.value
    assert len(theirs.keys()) == len(HealthState) + 1, "and one for what is not said"


def test_a_refusal_of_the_breaker_says_when_to_come_back():
    breaker = Breaker("main", BreakerOptions(failures=1), lambda: 0.5, 0.0)
    breaker.failed(breaker.admit(0.0), 0.0)
    with pytest.raises(errors.CircuitOpen) as raised:
        breaker.admit(59.5)
    status = to_status(raised.value)
    assert status.code == grpc.StatusCode.UNAVAILABLE.value[0]
    details = {each.TypeName(): each for each in status.details}
    info, retry = ErrorInfo(), RetryInfo()
    assert details["google.rpc.ErrorInfo"].Unpack(info)
    assert details["google.rpc.RetryInfo"].Unpack(retry)
    assert (info.reason, info.metadata["database"]) == ("CIRCUIT_OPEN", "main")
    assert retry.retry_delay.ToMilliseconds() == 500
