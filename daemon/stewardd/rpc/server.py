"""The gRPC server: its options, its addresses, and the services that it is given.

Every option has its reason beside it. What listens beyond loopback does so because the configuration names it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

import grpc
from google.protobuf import descriptor_pool

from stewardd.errors import ConfigurationError
from stewardd.rpc.addresses import SocketAccess, clear_socket, distinct, open_to, opened
from stewardd.rpc.interceptor import CallGuard
from stewardd.rpc.reflection import METHOD as REFLECTION_METHOD
from stewardd.rpc.reflection import NAMES as REFLECTION_SERVICES
from stewardd.rpc.reflection import add_reflection
from stewardd.telemetry import logger

log = logger("rpc")

# What grpc itself takes, before a handler can say with reason and hint that a message is too large.
HARD_LIMIT_FACTOR = 4


class Servicer(Protocol):
    """A service of the contract: it knows its full name, and how it is registered."""

    @property
    def service_name(self) -> str:
        """Its name as clients and reflection know it."""

    def add_to(self, server: grpc.aio.Server) -> None:
        """Registers it."""


class Server:
    """A grpc.aio server with everything on it. Made inside a running event loop."""

    def __init__(self, guard: CallGuard, max_message_bytes: int) -> None:
        self._server = grpc.aio.server(
            interceptors=[guard],
            compression=grpc.Compression.NoCompression,
            options=_options(max_message_bytes),
        )

    def add(self, servicers: Sequence[Servicer]) -> None:
        """Registers every service, and reflection for all of them."""
        for servicer in servicers:
            servicer.add_to(self._server)
        add_reflection(self._server, [servicer.service_name for servicer in servicers])

    async def start(self, addresses: Sequence[str], access: SocketAccess) -> list[str]:
        """Listens, and returns the addresses as they are: a port of 0 has become one. Raises ConfigurationError."""
        bound = [self._bind(address, access) for address in distinct(addresses)]
        await self._server.start()
        for address in bound:
            if others := open_to(address, access):
                # There is no authentication yet: who reaches the daemon may do everything.
                log.warning(
                    "listening without authentication",
                    address=address,
                    open_to=others,
                    hint="listen on 127.0.0.1 or a unix socket, or let only a trusted network reach this address",
                )
        return [each for address in bound for each in opened(address)]

    async def stop(self, grace_s: float) -> None:
        """Takes no more calls, and cancels those that run once the grace is over."""
        await self._server.stop(grace_s)

    def _bind(self, address: str, access: SocketAccess) -> str:
        path = None
        if address.startswith("unix:"):
            path = Path(address.removeprefix("unix:").removeprefix("//"))
            access.gid()  # a group that is not there is named before anything is made
        before = os.umask(0o077)  # between its making and its mode, a socket is for nobody else
        try:
            if path is not None:
                clear_socket(path, access)
            port = self._server.add_insecure_port(address)
        except (RuntimeError, OSError) as error:
            raise ConfigurationError(
                f"cannot listen on {address!r}: {_why(error)}",
                hint="another daemon may be listening there; `server.listen` takes another address",
            ) from error
        finally:
            os.umask(before)
        if path is not None:
            access.grant(path)
            return address
        host, _, _ = address.rpartition(":")
        return f"{host}:{port}"


def _why(error: Exception) -> str:
    return error.strerror if isinstance(error, OSError) and error.strerror else "see above"


def _options(max_message_bytes: int) -> list[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", HARD_LIMIT_FACTOR * max_message_bytes),
        ("grpc.max_send_message_length", HARD_LIMIT_FACTOR * max_message_bytes),
        # Two daemons must not share a port by accident: the second is told.
        ("grpc.so_reuseport", 0),
        # A burst waits in the server instead of being dropped before the interceptor can refuse it by name.
        ("grpc.server.max_pending_requests", 10_000),
        # Clients may look every ten seconds whether the daemon is still there, also between calls.
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_ping_strikes", 0),
    ]


def methods(service_names: Iterable[str]) -> list[str]:
    """Returns every method of the services, and of reflection: `steward.v1.SystemService/Health`."""
    found = [f"{service}/{REFLECTION_METHOD}" for service in REFLECTION_SERVICES]
    for service in service_names:
        described = descriptor_pool.Default().FindServiceByName(service)
        found += [f"{service}/{method.name}" for method in described.methods]
    return sorted(found)
