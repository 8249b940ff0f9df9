"""grpc.health.v1 by component: Check, List, Watch, for load balancers and monitors that know nothing of steward.

"" is SERVING as long as the daemon takes work, whatever is down behind it; each service's name goes with it;
`database` and `repository` say how those are. grpcio's asynchronous servicer has no List, so this one is ours.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from stewardd.health.monitor import Monitor
from stewardd.health.state import HealthState
from stewardd.rpc.context import Context

ServingStatus = health_pb2.HealthCheckResponse


class HealthServicer(health_pb2_grpc.HealthServicer):
    """Answers from what the monitor saw last."""

    service_name = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name

    def __init__(self, monitor: Monitor, service_names: Iterable[str]) -> None:
        self._monitor = monitor
        self._service_names = ("", *service_names)

    def add_to(self, server: grpc.aio.Server) -> None:
        """Registers the service."""
        health_pb2_grpc.add_HealthServicer_to_server(self, server)

    def _statuses(self) -> dict[str, health_pb2.HealthCheckResponse]:
        serving = ServingStatus.NOT_SERVING if self._monitor.stopping else ServingStatus.SERVING
        statuses = dict.fromkeys(self._service_names, serving)
        for component in self._monitor.components():
            up = component.state is not HealthState.DOWN and not self._monitor.stopping
            statuses[component.name] = ServingStatus.SERVING if up else ServingStatus.NOT_SERVING
        return {
            name: health_pb2.HealthCheckResponse(status=status) for name, status in statuses.items()
        }

    async def Check(
        self, request: health_pb2.HealthCheckRequest, context: Context
    ) -> health_pb2.HealthCheckResponse:
        """Returns one status; NOT_FOUND for a component that the daemon does not know, as the protocol has it."""
        status = self._statuses().get(request.service)
        if status is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such component")
        assert status is not None
        return status

    async def List(
        self, request: health_pb2.HealthListRequest, context: Context
    ) -> health_pb2.HealthListResponse:
        """Returns every status."""
        return health_pb2.HealthListResponse(statuses=self._statuses())

    async def Watch(
        self, request: health_pb2.HealthCheckRequest, context: Context
    ) -> AsyncIterator[health_pb2.HealthCheckResponse]:
        """Sends a status at once and each time that it changes; SERVICE_UNKNOWN for one that is not known (yet)."""
        unknown = health_pb2.HealthCheckResponse(status=ServingStatus.SERVICE_UNKNOWN)
        sent = None
        while True:
            # What is looked at is from before the sending: what changes meanwhile is another round's.
            changed, stopping = self._monitor.changed(), self._monitor.stopping
            status = self._statuses().get(request.service, unknown)
            if status != sent:
                yield status
                sent = status
            if stopping:
                return
            await changed.wait()
