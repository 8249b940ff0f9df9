"""The section `web`: the HTTP port for metrics and probes, and its bounds."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from stewardd.config.section import Section
from stewardd.config.values import KIB, Count, HttpAddress, Seconds


class WebSettings(Section):
    """The HTTP port: /metrics for Prometheus, /livez and /readyz for probes."""

    listen: HttpAddress = "127.0.0.1:50552"
    """HOST:PORT; port 0 takes a free one; empty: there is no HTTP port. An address that is set has to be free; where
    none is set and the default is taken, the daemon warns and has no HTTP port. It asks nobody who they are: let only a
    trusted network reach it"""

    max_connections: Count = 64
    """connections that are open at once; a further one takes the place of the one that has been silent longest"""

    request_timeout_s: Seconds = 10.0
    """how long a connection may take to send a request and to take its answer; then it is closed"""

    max_request_bytes: Annotated[int, Field(ge=KIB, le=1024 * KIB)] = 16 * KIB
    """the longest head of a request: its line and its headers"""

    counted_batches: Annotated[int, Field(ge=0)] = 1000
    """open rows are counted for /metrics over so many of the newest batches; 0: they are not counted"""

    count_interval_s: Seconds = 60.0
    """how often they are counted"""
