"""Encryption of single segments by age (age-encryption.org/v1), with X25519 keys.

A recipient is public and begins with `age1`; an identity is its private half, in a file as age-keygen writes it. Each
segment is an age file of its own: `age --decrypt` reads any of them without the others, and without steward.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import pyrage
from pyrage import x25519

from stewardd.errors import Corrupt, KeyMissing, KeyUnknown

_RECIPIENT = re.compile(r"age1[0-9a-z]+")
_COMMENT = "#"


class AgeIdentity:
    """A private key that reads backups. Its repr shows the recipient."""

    def __init__(self, key: x25519.Identity) -> None:
        self._key = key
        self.recipient = str(key.to_public())

    def __repr__(self) -> str:
        return f"AgeIdentity({self.recipient})"

    @classmethod
    def generate(cls) -> AgeIdentity:
        """Makes a new one."""
        return cls(x25519.Identity.generate())

    @property
    def key(self) -> x25519.Identity:
        """The key itself."""
        return self._key

    def to_file(self) -> bytes:
        """Writes an identity file."""
        return f"# public key: {self.recipient}\n{self._key}\n".encode()


def read_identities(text: str) -> list[AgeIdentity]:
    """Reads an identity file, in which lines that begin with # are comments. Raises: ValueError."""
    lines = [line.strip() for line in text.splitlines()]
    keys = [line for line in lines if line and not line.startswith(_COMMENT)]
    if not keys:
        raise ValueError("it holds no age identity")
    try:
        return [AgeIdentity(x25519.Identity.from_str(each)) for each in keys]
    except pyrage.IdentityError:
        raise ValueError("it holds what is no X25519 identity of age (AGE-SECRET-KEY-1…)") from None


def check_recipient(text: str) -> str:
    """Returns a recipient that can be encrypted to. Raises: KeyUnknown."""
    try:
        if _RECIPIENT.fullmatch(text):
            return str(x25519.Recipient.from_str(text))
    except pyrage.RecipientError:
        pass
    shown = text if text.startswith("age1") else "what was given"
    raise KeyUnknown(f"{shown} is no recipient of age (age1…)", field="recipients")


@dataclass(frozen=True, slots=True)
class Sealed:
    """A segment as it is stored: the bytes, and their SHA-256 in hex."""

    body: bytes
    sha256: str


class Encryptor:
    """Encrypts segments to fixed recipients."""

    def __init__(self, recipients: Sequence[str]) -> None:
        self._recipients = [x25519.Recipient.from_str(check_recipient(each)) for each in recipients]

    def encrypt(self, data: bytes) -> bytes:
        """Encrypts a segment, unless there are no recipients."""
        return self.seal([data]).body if self._recipients else data

    def seal(self, pieces: list[bytes]) -> Sealed:
        """Encrypts the pieces of a segment, and checksums what comes out.

        The list is used up on the way, so that no more than a piece of the segment is held twice.
        """
        sealed = _SealedFile()
        if self._recipients:
            pyrage.encrypt_io(PiecesFile(pieces), sealed, self._recipients)
        else:
            for piece in _used_up(pieces):
                sealed.write(piece)
        return sealed.finished()


def decrypt(data: bytes, identities: Iterable[AgeIdentity], what: str) -> bytes:
    """Decrypts a segment whose checksum was compared. Raises: KeyMissing where no identity fits, Corrupt."""
    buffer = bytearray(data)
    decrypt_in_place(buffer, identities, what)
    return bytes(buffer)


def decrypt_in_place(data: bytearray, identities: Iterable[AgeIdentity], what: str) -> None:
    """The same in the memory of the segment itself, so that it is never held twice. Raises: KeyMissing, Corrupt.

    What `data` holds after an error is neither the one nor the other.
    """
    keys = [each.key for each in identities]
    if not keys:
        raise KeyMissing(f"{what} is encrypted, and no private key is here")
    with memoryview(data) as memory:
        file = _FileInPlace(memory)
        try:
            pyrage.decrypt_io(file, file, keys)
        except (
            pyrage.DecryptError,
            OSError,
        ) as error:  # an OSError where the header is whole and the rest is not
            if "matching" in str(error).lower():
                raise KeyMissing(
                    f"{what} is encrypted to none of the private keys that are here"
                ) from None
            raise Corrupt(f"{what} does not decrypt") from None
    del data[file.written_bytes :]


class _FileInPlace:
    """Memory that pyrage reads from its beginning, and writes over from its beginning.

    An age file is longer than its plain text from the first byte on, by its header and a tag for each 64 KiB: what is
    written never reaches what is still to be read.

    pyrage keeps the interpreter for as long as it works: 44 ms for 16 MiB in one call, in which the event loop stands
    still. That it calls these methods, which are Python's, lets other threads in between two pieces.
    """

    def __init__(self, memory: memoryview) -> None:
        self._memory = memory
        self._read_bytes = 0
        self.written_bytes = 0

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes; none at the end."""
        end = len(self._memory) if size < 0 else self._read_bytes + size
        piece = bytes(self._memory[self._read_bytes : end])
        self._read_bytes += len(piece)
        return piece

    def write(self, piece: bytes) -> int:
        """Keeps a piece. Raises: OSError where it would write over what was not read yet."""
        end = self.written_bytes + len(piece)
        if end > self._read_bytes:
            raise OSError("an age file that is shorter than what it holds")
        self._memory[self.written_bytes : end] = piece
        self.written_bytes = end
        return len(piece)

    def flush(self) -> None:
        """Does nothing: there is nothing below."""


class PiecesFile:
    """Reads a list of pieces as one file; what was read is given up.

    _FileInPlace says why pyrage is fed by files.
    """

    def __init__(self, pieces: list[bytes] | list[bytearray]) -> None:
        self._pieces = _used_up(pieces)
        self._piece = memoryview(b"")

    def read(self, size: int, /) -> bytes:
        """The next bytes; none at the end."""
        while not self._piece:
            piece = next(self._pieces, None)
            if piece is None:
                return b""
            self._piece = memoryview(piece)
        found = bytes(self._piece[:size])
        self._piece = self._piece[size:]
        return found


class _SealedFile:
    """Keeps what is written, and its checksum. A BytesIO gives its bytes away at the end without copying them."""

    def __init__(self) -> None:
        self._body = io.BytesIO()
        self._digest = hashlib.sha256()

    def write(self, data: bytes | bytearray, /) -> int:
        """Takes bytes."""
        self._body.write(data)
        self._digest.update(data)
        return len(data)

    def flush(self) -> None:
        """Does nothing: there is nothing below."""

    def finished(self) -> Sealed:
        """What was written."""
        return Sealed(self._body.getvalue(), self._digest.hexdigest())


def _used_up(pieces: list[bytes] | list[bytearray]) -> Iterator[bytes | bytearray]:
    """The pieces of a list, which is emptied on the way."""
    pieces.reverse()
    while pieces:
        yield pieces.pop()
