"""Calls are counted in and out, by method, code and reason."""

import grpc
from stewardd.errors import StewardError
from stewardd.metrics.calls import CODES, METRICS, REASON, CallMetrics
from stewardd.metrics.exposition import Metrics

METHOD = "steward.v1.SystemService/Health"


def every(cls):
    return {cls.reason}.union(*(every(child) for child in cls.__subclasses__()))


async def test_a_call_is_counted_in_and_out():
    metrics = Metrics(METRICS, {"methods": [METHOD]})
    calls = CallMetrics(metrics)
    calls.began(METHOD)
    calls.began(METHOD)
    calls.ended(METHOD, "UNAVAILABLE", 0.3, "DATABASE_DOWN")
    text = (await metrics.exposition()).decode()
    labels = f'method="{METHOD}"'
    assert f"steward_rpc_calls_in_flight{{{labels}}} 1.0\n" in text
    assert f'steward_rpc_calls_total{{code="UNAVAILABLE",{labels}}} 1.0\n' in text
    assert 'steward_rpc_refused_calls_total{reason="DATABASE_DOWN"} 1.0\n' in text
    assert f'steward_rpc_call_duration_seconds_bucket{{le="0.25",{labels}}} 0.0\n' in text
    assert f'steward_rpc_call_duration_seconds_bucket{{le="0.5",{labels}}} 1.0\n' in text


def test_every_code_of_grpc_and_every_reason_of_the_errors_is_a_value():
    assert set(CODES) == {code.name for code in grpc.StatusCode}
    assert set(REASON.values) == every(StewardError)
