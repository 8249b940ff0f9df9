"""What may stand before a PostgreSQL: TLS in front of it, a pooler that refuses, a balancer; it passes all else on.

`with Front([socket], certificate=…) as front:` listens on `front.port`. `clear_count` and `tls_count` are of the
sessions that came in the clear and by TLS.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress
import itertools
import socket
import ssl
import struct
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_TLS, _GSS = 80877103, 80877104


class Front:
    """`behind` are the sockets of servers, taken in turn; `refused` is a startup parameter that is not taken."""

    def __init__(
        self,
        behind: Sequence[Path],
        *,
        certificate: Path | None = None,
        tls_only: bool = False,
        refused: str = "",
        refusal: str = "unsupported startup parameter: options",
    ) -> None:
        self._turns = itertools.cycle(behind)
        self._tls_only = tls_only
        self._refused = f"\0{refused}\0".encode() if refused else None
        self._refusal = refusal
        self._context: ssl.SSLContext | None = None
        if certificate is not None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(certificate)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.clear_count = 0
        self.tls_count = 0
        self.refused_count = 0

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                threading.Thread(target=self._attend, args=(client,), daemon=True).start()

    def _attend(self, client: socket.socket) -> None:
        try:
            encrypted = False
            while (message := _message(client)) and _code(message) in (_TLS, _GSS):
                if _code(message) == _TLS and self._context is not None:
                    client.sendall(b"S")
                    client, encrypted = self._context.wrap_socket(client, server_side=True), True
                else:
                    client.sendall(b"N")
            if self._refused is not None and self._refused in message:
                self.refused_count += 1
                _refuse(client, self._refusal)
            elif self._tls_only and not encrypted:
                _refuse(client, "no pg_hba.conf entry for this host, no encryption")
            else:
                self.tls_count += encrypted
                self.clear_count += not encrypted
                _connect_to(next(self._turns), client, message)
        except OSError:
            pass  # one side is gone
        finally:
            client.close()


def _connect_to(path: Path, client: socket.socket, opening: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(str(path))
        server.sendall(opening)
        back = threading.Thread(target=_pass_on, args=(server, client), daemon=True)
        back.start()
        _pass_on(client, server)
        back.join()


def make_certificate(folder: Path) -> Path:
    """A key and its own certificate for 127.0.0.1, in one file; it may be named as sslrootcert too."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "front")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path = folder / "front.pem"
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path


def _message(client: socket.socket) -> bytes:
    head = _take(client, 4)
    return head + _take(client, struct.unpack("!I", head)[0] - 4)


def _code(message: bytes) -> int:
    return int.from_bytes(message[4:8], "big")


def _take(client: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        more = client.recv(count - len(found))
        if not more:
            raise OSError("closed")
        found += more
    return found


def _refuse(client: socket.socket, text: str) -> None:
    fields = b"".join(
        f"{key}{value}\0".encode()
        for key, value in (("S", "FATAL"), ("V", "FATAL"), ("C", "08P01"), ("M", text))
    )
    client.sendall(b"E" + struct.pack("!I", len(fields) + 5) + fields + b"\0")


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := one.recv(1 << 16):
            other.sendall(data)
    for end in (one, other):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
