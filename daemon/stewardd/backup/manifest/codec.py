"""Reading and writing manifests of every version, signed and as a part of another document.

The object in the repository ends with the signature of everything before it:

    {"version":2,"format":"steward backup",…,"signer":"<public key, hex>","signature":"<Ed25519, hex>"}

What is signed are the bytes as they stand there, up to `,"signature":`, so that nothing depends on how JSON is
written. An altered manifest is Corrupt, and so is an unsigned one of version 2. Whether the signer is trusted is
another question, and is asked where something depends on it (keys/keyring.py).
"""

from __future__ import annotations

import re

from stewardd.backup.keys.signing import SigningKey, is_signed_by
from stewardd.backup.manifest.backup import VERSION, BackupManifest
from stewardd.backup.manifest.checked import CheckedManifests
from stewardd.backup.manifest.first_version import FIRST_MANIFEST
from stewardd.errors import Corrupt
from stewardd.repository.document import Codec

_CONSTANTS = {"version": VERSION, "format": "steward backup"}
_SECOND = Codec(BackupManifest, constants=_CONSTANTS)
_FIRST_HEAD = b'{"version":1,'
_SIGNATURE = re.compile(rb',"signature":"([0-9a-f]{128})"}\n\Z')


class _AnyVersion(Codec[BackupManifest]):
    """A manifest as a part of another document, such as an operation's result: without its signature."""

    def decode(self, body: bytes, key: str) -> BackupManifest:
        """Reads one of any version. Raises: Corrupt."""
        if body.startswith(_FIRST_HEAD):
            return FIRST_MANIFEST.decode(body, key).to_backup()
        return super().decode(body, key)


BACKUP_MANIFEST = _AnyVersion(BackupManifest, constants=_CONSTANTS)


class SignedManifests:
    """The manifest as it stands in the repository. A signature that is known from `checked` is not checked again."""

    def __init__(self, checked: CheckedManifests | None = None) -> None:
        self._checked = checked

    def decode(self, body: bytes, key: str) -> BackupManifest:
        """Reads one. Raises: Corrupt, also where the signature is not its signer's."""
        if body.startswith(_FIRST_HEAD):
            return FIRST_MANIFEST.decode(body, key).to_backup()
        found = _SIGNATURE.search(body)
        if found is None:
            _SECOND.decode(body, key)  # what is no manifest at all is called so
            raise Corrupt(f"{key} is not signed")
        signed = body[: found.start()]
        manifest = _SECOND.decode(signed + b"}\n", key)
        if self._checked is not None and self._checked.has(body):
            return manifest
        signature = bytes.fromhex(found[1].decode())
        if not is_signed_by(manifest.signer, signature, signed):
            raise Corrupt(f"{key} was altered: it is not what its signer signed")
        if self._checked is not None:
            self._checked.add(body)
        return manifest

    def encode(self, manifest: BackupManifest, signing_key: SigningKey) -> bytes:
        """Writes a manifest whose signer is that key."""
        if manifest.signer != signing_key.public_key:
            raise ValueError("the manifest names another signer")
        signed = _SECOND.encode(manifest).removesuffix(b"}\n")
        signature = signing_key.sign(signed).hex().encode()
        return signed + b',"signature":"' + signature + b'"}\n'


SIGNED_MANIFEST = SignedManifests()
