"""Asks for Health again and again: `python -m benchmarks.rpc.asking ADDRESS SECONDS`; prints every latency as JSON.

Both faces of it: SystemService.Health, and Check of grpc.health.v1.
"""

import json
import sys
import time
from collections.abc import Callable

import grpc
from steward.v1 import system_pb2, system_pb2_grpc

CHECK = "/grpc.health.v1.Health/Check"
PAUSE_S = 0.01


def main(address: str, duration_s: str) -> None:
    """Ask until the time is over."""
    latencies_s: dict[str, list[float]] = {"Health": [], "Check": []}
    with grpc.insecure_channel(address) as channel:
        grpc.channel_ready_future(channel).result(timeout=30)
        system = system_pb2_grpc.SystemServiceStub(channel)
        # An empty request, as bytes, asks for the server as a whole.
        check: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(CHECK)
        calls: dict[str, Callable[[], object]] = {
            "Health": lambda: system.Health(system_pb2.HealthRequest()),
            "Check": lambda: check(b""),
        }
        until_s = time.monotonic() + float(duration_s)
        while time.monotonic() < until_s:
            for name, call in calls.items():
                began_s = time.monotonic()
                call()
                latencies_s[name].append(time.monotonic() - began_s)
                time.sleep(PAUSE_S)
    print(json.dumps(latencies_s))


if __name__ == "__main__":
    main(*sys.argv[1:])
