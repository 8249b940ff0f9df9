"""The sockets of the HTTP port, bound before anything else of the daemon is made."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket

from stewardd.errors import ConfigurationError
from stewardd.telemetry import logger

log = logger("web")

BACKLOG = 128
_NOT_HERE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


def bind(address: str) -> list[socket.socket]:
    """Binds HOST:PORT, at each address of the host that this machine has; port 0 takes a free one.

    Raises: ConfigurationError.
    """
    host, _, port = address.rpartition(":")
    bound: list[socket.socket] = []
    missing: OSError | None = None
    try:
        for family, numeric in _places(host.strip("[]")):
            # The free port that the first took is everybody's.
            place = (numeric, bound[0].getsockname()[1] if bound else int(port))
            try:
                bound.append(_bound(family, place))
            except OSError as error:
                # Many a machine without IPv6 names ::1 as localhost all the same.
                if error.errno not in _NOT_HERE:
                    raise
                missing = error
        if not bound and missing is not None:
            raise missing
    except OSError as error:
        for each in bound:
            each.close()
        raise ConfigurationError(
            f"cannot listen on {address!r}: {_why(error)}",
            hint="another daemon may be listening there; `web.listen` takes another address, or none",
        ) from error
    return bound


def shown(sockets: list[socket.socket]) -> list[str]:
    """Returns the addresses as they are: a port of 0 has become one."""
    found = []
    for each in sockets:
        host, port = each.getsockname()[:2]
        found.append(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    return found


def warn_of_others(sockets: list[socket.socket]) -> None:
    """Warns where others than this machine reach the port: it asks nobody who they are."""
    for each, address in zip(sockets, shown(sockets), strict=True):
        if not ipaddress.ip_address(each.getsockname()[0]).is_loopback:
            log.warning(
                "metrics open to others",
                address=address,
                hint="let only a trusted network reach this address",
            )


def _why(error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return f"its host is not known ({error.strerror})"
    return os.strerror(error.errno).lower() if error.errno else str(error)


def _places(host: str) -> list[tuple[socket.AddressFamily, str]]:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys((family, str(place[0])) for family, _, _, _, place in found))


def _bound(family: socket.AddressFamily, place: tuple[str, int]) -> socket.socket:
    return socket.create_server(
        place,
        family=family,
        backlog=BACKLOG,
        dualstack_ipv6=place[0] == "::" and socket.has_dualstack_ipv6(),
    )
