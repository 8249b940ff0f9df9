"""The HTTP port: open before anything is made, so that probes tell a start from a failure, and the last that ends."""

from __future__ import annotations

from stewardd.app.assembly import Assembly
from stewardd.errors import ConfigurationError
from stewardd.metrics.exposition import CONTENT_TYPE
from stewardd.telemetry import logger
from stewardd.web.readiness import Readiness

log = logger("app")


async def start_web(assembly: Assembly) -> Readiness:
    """Opens the port, if there is to be one.

    A daemon for which nobody chose a port serves without one where the default is taken: several on one machine are no
    mistake. Raises: ConfigurationError where a chosen address cannot be listened on.
    """
    settings = assembly.settings.web
    readiness = Readiness(assembly.monitor)
    assembly.metrics.add_readiness(readiness)
    if not settings.listen:
        return readiness
    # Not at the top: a daemon without the port starts sooner.
    from stewardd.web.application import application
    from stewardd.web.listening import bind
    from stewardd.web.server import WebBounds, WebServer

    bounds = WebBounds(
        max_connections=settings.max_connections,
        request_timeout_s=settings.request_timeout_s,
        max_request_bytes=settings.max_request_bytes,
    )
    try:
        sockets = bind(settings.listen)
    except ConfigurationError as error:
        if "listen" in settings.model_fields_set:
            raise
        log.warning("no http port", error=error.message, hint=error.hint)
        return readiness
    app = application(readiness, assembly.metrics.exposition, CONTENT_TYPE)
    server = WebServer(app, sockets, bounds)
    await server.start()
    assembly.running.push_async_callback(server.stop)
    log.info("web listening", addresses=server.addresses)
    return readiness
