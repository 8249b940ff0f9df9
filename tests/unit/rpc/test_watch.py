"""Whoever watches health is told of every change, also of one that comes while the status before is being sent."""

from typing import Any

import pytest
from grpc_health.v1 import health_pb2
from stewardd.health.monitor import Monitor
from stewardd.rpc.health import HealthServicer

Serving = health_pb2.HealthCheckResponse


async def test_a_watcher_hears_of_the_end_that_begins_while_a_status_is_sent():
    monitor = Monitor()
    no_context: Any = None
    request = health_pb2.HealthCheckRequest()
    watching = HealthServicer(monitor, ["service"]).Watch(request, no_context)
    assert (await anext(watching)).status == Serving.SERVING
    monitor.announce_stop()
    assert (await anext(watching)).status == Serving.NOT_SERVING
    with pytest.raises(StopAsyncIteration):
        await anext(watching)
