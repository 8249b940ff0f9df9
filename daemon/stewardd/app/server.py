"""The server: the services that the builders added, on the configured addresses."""

from __future__ import annotations

from stewardd import __version__
from stewardd.app.assembly import Assembly
from stewardd.rpc.addresses import SocketAccess
from stewardd.rpc.interceptor import CallGuard
from stewardd.rpc.server import Server, methods
from stewardd.telemetry import logger

log = logger("app")


async def start_server(assembly: Assembly) -> Server:
    """Serves. Raises: ConfigurationError where an address cannot be listened on."""
    settings = assembly.settings.server
    calls = assembly.metrics.add_calls(methods([each.service_name for each in assembly.servicers]))
    guard = CallGuard(settings.max_concurrent_calls, settings.max_message_bytes, calls)
    server = Server(guard, settings.max_message_bytes)
    server.add(assembly.servicers)
    access = SocketAccess(int(settings.socket_mode, 8), settings.socket_group)
    addresses = await server.start(settings.listen, access)
    log.info("serving", addresses=addresses, version=__version__)
    return server
