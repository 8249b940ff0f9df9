"""What a scrape of /metrics costs 32 calls that are in flight, beside moments without a scrape in the same run.

Every quarter of a second is a window. In every other one the metrics are scraped, after each method has been called so
that they are as long as they get; the calls that ran meanwhile are held against those of the window before, at the same
place and for as long. So other work on the machine, and the client itself, meet both alike.
"""

import asyncio
import contextlib
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import grpc
from grpc_health.v1 import health_pb2
from steward.v1 import (
    backup_pb2,
    operation_pb2,
    quarantine_pb2,
    system_pb2,
    system_pb2_grpc,
    validation_pb2,
)

from benchmarks.rpc.servers import logged_address, served

CALLERS = 32
PAIRS = 40
WINDOW_S = 0.25
LEAD_S = 0.05
"""From the beginning of a window to its scrape: the callers are in their stride again."""
MODULES = (validation_pb2, quarantine_pb2, backup_pb2, operation_pb2, system_pb2, health_pb2)


@dataclass(frozen=True, slots=True)
class Span:
    """From one moment to another, in seconds of the monotonic clock."""

    began_s: float
    ended_s: float

    @property
    def length_s(self) -> float:
        """How long it took."""
        return self.ended_s - self.began_s


@dataclass(frozen=True, slots=True)
class Scraping:
    """Medians over the pairs of windows; a cost is a latency under a scrape less one without."""

    lines: int
    scrape_s: float
    quiet_median_s: float
    median_cost_s: float
    longest_cost_s: float
    calls: int


def scraping(folder: Path) -> Scraping:
    """Run a daemon, and measure."""
    with served(folder, web="127.0.0.1:0") as (process, address):
        web = logged_address(process, folder / "stewardd.log", "web listening")
        call_every_method(address)
        return asyncio.run(measure(address, web))


def call_every_method(address: str) -> None:
    """Send each method that takes one message an empty one; most refuse it."""
    with grpc.insecure_channel(address) as channel:
        services = [each for it in MODULES for each in it.DESCRIPTOR.services_by_name.values()]
        for method in (method for service in services for method in service.methods):
            if method.client_streaming or method.server_streaming:
                continue
            path = f"/{method.containing_service.full_name}/{method.name}"
            call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(path)
            with contextlib.suppress(grpc.RpcError):
                call(b"", timeout=5)


async def measure(address: str, web: str) -> Scraping:
    """Keep 32 calls in flight, and scrape in every other window."""
    calls: list[Span] = []
    scrapes: list[Span] = []
    quiet: list[Span] = []
    async with grpc.aio.insecure_channel(address) as channel:
        service = system_pb2_grpc.SystemServiceStub(channel)
        callers = [asyncio.create_task(call_on(service, calls)) for _ in range(CALLERS)]
        text = await scrape(web)
        for _ in range(PAIRS):
            await asyncio.sleep(LEAD_S)
            quiet_from_s = time.monotonic()
            await asyncio.sleep(WINDOW_S)
            began_s = time.monotonic()
            await scrape(web)
            scrapes.append(Span(began_s, time.monotonic()))
            quiet.append(Span(quiet_from_s, quiet_from_s + scrapes[-1].length_s))
            await asyncio.sleep(WINDOW_S)
        for caller in callers:
            caller.cancel()
        await asyncio.wait(callers)
    pairs = [
        (latencies_s(calls, without), latencies_s(calls, under))
        for without, under in zip(quiet, scrapes, strict=True)
    ]
    return Scraping(
        lines=text.count(b"\n"),
        scrape_s=median(each.length_s for each in scrapes),
        quiet_median_s=median(median(without) for without, _ in pairs),
        median_cost_s=median(median(under) - median(without) for without, under in pairs),
        longest_cost_s=median(max(under) - max(without) for without, under in pairs),
        calls=sum(len(under) for _, under in pairs),
    )


async def call_on(service: "system_pb2_grpc.SystemServiceAsyncStub", calls: list[Span]) -> None:
    """Call again and again, until cancelled."""
    while True:
        began_s = time.monotonic()
        await service.Health(system_pb2.HealthRequest())
        calls.append(Span(began_s, time.monotonic()))


async def scrape(web: str) -> bytes:
    """Scrape once, on a connection of its own."""
    host, _, port = web.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    text = await reader.read()
    writer.close()
    if not text.startswith(b"HTTP/1.1 200"):
        raise RuntimeError("the scrape was not answered")
    return text


def latencies_s(calls: Iterable[Span], window: Span) -> list[float]:
    """Return how long each call took that was in flight within the window."""
    return [
        each.length_s
        for each in calls
        if each.began_s < window.ended_s and each.ended_s > window.began_s
    ]
