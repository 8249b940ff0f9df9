"""Ed25519 keys (RFC 8032), with which manifests are signed.

Anybody can encrypt to a public recipient, so that encryption says nothing about who made a backup. The signature does.
A public key is written as 64 hexadecimal digits; a private key stands in a PEM file (PKCS #8), as openssl writes it.
"""

from __future__ import annotations

import re
from functools import lru_cache

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

_PUBLIC_KEY = re.compile(r"[0-9a-f]{64}")


class SigningKey:
    """A private key. Its repr shows the public one."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public_key = key.public_key().public_bytes_raw().hex()

    def __repr__(self) -> str:
        return f"SigningKey({self.public_key})"

    @classmethod
    def generate(cls) -> SigningKey:
        """Makes a new one."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_pem(cls, text: bytes) -> SigningKey:
        """Reads an unencrypted PEM file. Raises: ValueError."""
        try:
            key = load_pem_private_key(text, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise ValueError("it is no private key in PEM without a passphrase") from None
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError("it is a private key, and not one of Ed25519")  # noqa: TRY004  # the file's fault
        return cls(key)

    def to_pem(self) -> bytes:
        """Writes the private key."""
        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def sign(self, data: bytes) -> bytes:
        """Signs it: 64 bytes."""
        return self._key.sign(data)


def is_public_key(text: str) -> bool:
    """Whether a text is a public key."""
    return _PUBLIC_KEY.fullmatch(text) is not None


def is_signed_by(public_key: str, signature: bytes, data: bytes) -> bool:
    """Whether the owner of a public key signed these bytes."""
    if not is_public_key(public_key):
        return False
    try:
        _parsed(public_key).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True


@lru_cache(maxsize=64)
def _parsed(public_key: str) -> Ed25519PublicKey:
    """Thousands of manifests have the same signer."""
    return Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key))
