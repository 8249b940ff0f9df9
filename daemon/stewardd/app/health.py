"""Health: the monitor, with the probes that the builders added, and the daemon about itself."""

from __future__ import annotations

from stewardd import __version__
from stewardd.app.assembly import Assembly
from stewardd.rpc.health import HealthServicer
from stewardd.rpc.system.servicer import SystemServicer


async def start_health(assembly: Assembly) -> None:
    """Looks at every component once, and goes on looking; the services of the other builders must have been added."""
    monitor = assembly.monitor
    await monitor.start()
    assembly.running.push_async_callback(monitor.stop)
    assembly.metrics.add_components(monitor)
    assembly.on_stop.append(monitor.announce_stop)
    system = SystemServicer(monitor, __version__)
    names = [each.service_name for each in (*assembly.servicers, system)]
    health = HealthServicer(monitor, [*names, HealthServicer.service_name])
    assembly.servicers.extend([system, health])
