"""The manifests whose signatures this daemon has checked, by their SHA-256: none of them is checked a second time.

They are kept in a file of the data folder, 32 bytes each, which is believed as the keys are that lie there: a check of
ten thousand signatures takes more than a second of each start. Whatever else stands in the file, and a tail that a
crash cut short, is the digest of no manifest.
"""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

from stewardd.telemetry import logger

_log = logger("backup")
_DIGEST_BYTES = 32
_MOST = 1_000_000


class CheckedManifests:
    """What is known, and what was learnt since the last `save`. It may be used by several threads."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known: set[bytes] | None = None
        self._learnt: list[bytes] = []
        self._lock = threading.Lock()

    def has(self, body: bytes) -> bool:
        """Whether this manifest, to the byte, was checked before. Blocks the first time: it reads the file."""
        with self._lock:
            if self._known is None:
                self._known = self._read()
            return hashlib.sha256(body).digest() in self._known

    def add(self, body: bytes) -> None:
        """Says that it was checked."""
        digest = hashlib.sha256(body).digest()
        with self._lock:
            if self._known is not None and digest not in self._known:
                self._known.add(digest)
                self._learnt.append(digest)

    def save(self) -> None:
        """Keeps what was learnt. Blocks. What cannot be kept is checked again after the next start."""
        with self._lock:
            learnt, self._learnt = self._learnt, []
        if not learnt:
            return
        try:
            self._file.parent.mkdir(mode=0o700, exist_ok=True)
            with self._file.open("ab") as stream:
                stream.write(bytes(-stream.tell() % _DIGEST_BYTES) + b"".join(learnt))
        except OSError as error:
            _log.warning("checked manifests not kept", error=error.strerror)

    def _read(self) -> set[bytes]:
        try:
            body = self._file.read_bytes()
        except OSError:
            return set()
        if len(body) > _MOST * _DIGEST_BYTES:
            self._file.unlink(missing_ok=True)
            return set()
        return {body[at : at + _DIGEST_BYTES] for at in range(0, len(body), _DIGEST_BYTES)}
