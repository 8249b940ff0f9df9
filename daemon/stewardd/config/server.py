"""The section `server`: addresses, the bounds of calls, and the threads of the engine."""

from __future__ import annotations

import os
from typing import Annotated

from pydantic import Field

from stewardd.config.section import Section
from stewardd.config.values import KIB, MIB, Address, Count, Seconds, SocketMode


class ServerSettings(Section):
    """Where the daemon listens, and how much it takes on at once."""

    listen: Annotated[tuple[Address, ...], Field(min_length=1)] = ("127.0.0.1:50551",)
    """addresses: HOST:PORT, or unix:PATH; port 0 takes a free one. 0.0.0.0 and [::] each open IPv4 and IPv6, so that
    one of them is enough"""

    socket_mode: SocketMode = "0600"
    """mode of a unix socket, in octal; 0660 lets its group in, 0666 everybody"""

    socket_group: str = ""
    """group of a unix socket, by name or number; empty: the daemon's own"""

    max_message_bytes: Annotated[int, Field(ge=MIB, le=256 * MIB)] = 4 * MIB + 64 * KIB
    """the largest message that is accepted"""

    max_concurrent_calls: Count = 256
    """calls served at once; more are refused, health is exempt"""

    max_concurrent_batches: Count = 32
    """batches validated at once; more are refused"""

    engine_threads: Count = max(2, os.cpu_count() or 2)
    """threads that run the validation engine. There can be more for a moment, when a batch begins while all threads
    work on another one"""

    engine_niceness: Annotated[int, Field(ge=0, le=19)] = 10
    """nice value of these threads above that of the daemon (Linux only), so that calls are answered while files are
    validated; the thread of a batch that is validated alone gets 2 at most"""

    drain_timeout_s: Seconds = 30.0
    """how long SIGTERM waits for running calls before it cancels them"""
