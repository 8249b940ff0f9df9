"""Where the server listens: which addresses are one, which are open to others, and who may use a socket.

gRPC opens a wildcard for IPv4 and IPv6 alike, whichever of the two it is asked for: `0.0.0.0` answers at `[::1]` too.
So both are reported, and of two addresses that are one only the first is opened.
"""

from __future__ import annotations

import errno
import grp
import ipaddress
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stewardd.errors import ConfigurationError

_WILDCARDS = ("0.0.0.0", "[::]")  # noqa: S104  # they are recognised here, not opened


@dataclass(frozen=True, slots=True)
class SocketAccess:
    """Who may use a unix socket: its mode, and the group that it is given to; empty: the daemon's own."""

    mode: int = 0o600
    group: str = ""

    def gid(self) -> int:
        """The group's number, -1 for the daemon's own. Raises ConfigurationError."""
        if not self.group:
            return -1
        if self.group.isdigit():
            return int(self.group)
        try:
            return grp.getgrnam(self.group).gr_gid
        except KeyError:
            raise ConfigurationError(
                f"server.socket_group: there is no group {self.group!r} on this machine",
                hint="name a group that exists (`getent group` lists them), or leave the setting empty",
            ) from None

    def grant(self, path: Path) -> None:
        """Gives a socket its group and its mode. Raises ConfigurationError."""
        try:
            os.chown(path, -1, self.gid())
            path.chmod(self.mode)
        except OSError as error:
            raise ConfigurationError(
                f"the socket {path} cannot be given to the group {self.group!r}: {_text(error)}",
                hint="name a group that the daemon's user belongs to in `server.socket_group`",
            ) from error


def distinct(addresses: Sequence[str]) -> list[str]:
    """Leaves out what another address covers: a wildcard covers every host at its port."""
    covered = {_port(each) for each in addresses if _is_wildcard(each)}
    found: list[str] = []
    for each in addresses:
        port = _port(each)
        doubled = each in found or (
            port in covered
            and (
                not _is_wildcard(each)
                or any(_port(one) == port and _is_wildcard(one) for one in found)
            )
        )
        if not doubled or port == "0":
            found.append(each)
    return found


def opened(address: str) -> list[str]:
    """The addresses that one is open at, itself first: a wildcard is open for IPv4 and IPv6."""
    if not _is_wildcard(address) or not socket.has_dualstack_ipv6():
        return [address]
    other = _WILDCARDS[1] if address.startswith(_WILDCARDS[0]) else _WILDCARDS[0]
    return [address, f"{other}:{_port(address)}"]


def open_to(address: str, access: SocketAccess) -> str:
    """Who else may use the daemon at an address: a phrase, empty where nobody but its user and group may."""
    if address.startswith("unix:"):
        return "everybody on this machine" if access.mode & 0o007 else ""
    if _is_wildcard(address):
        return "everybody who reaches one of this machine's addresses"
    return "" if _is_loopback(_host(address)) else "everybody who reaches this address"


def clear_socket(path: Path, access: SocketAccess) -> None:
    """Removes the socket that a killed daemon left; anything else in its place stays, and binding fails.

    Raises OSError where somebody listens there: grpc would take the path from them, and they would never know.
    """
    if path.is_socket():
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(str(path)) != errno.ECONNREFUSED:
                raise OSError(errno.EADDRINUSE, "somebody listens there")
        path.unlink()
    if not path.parent.exists():
        path.parent.mkdir(parents=True, mode=0o700)
        if access.group:
            os.chown(path.parent, -1, access.gid())
            path.parent.chmod(0o710)


def _host(address: str) -> str:
    return address.rpartition(":")[0].strip("[]")


def _port(address: str) -> str:
    return "" if address.startswith("unix:") else address.rpartition(":")[2].lstrip("0") or "0"


def _is_wildcard(address: str) -> bool:
    if address.startswith("unix:"):
        return False
    try:
        return ipaddress.ip_address(_host(address)).is_unspecified
    except ValueError:
        return False


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        pass
    try:
        found = socket.getaddrinfo(host, None)
    except OSError:
        return False
    return all(ipaddress.ip_address(each[4][0]).is_loopback for each in found)


def _text(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
