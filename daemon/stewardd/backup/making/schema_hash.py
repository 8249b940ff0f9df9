"""The hash of a schema as pg_dump writes it, without what differs from run to run.

Comments name versions and are for people; the pair of psql's restrict commands carries a word made by chance.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

_LEFT_OUT = (b"--", b"\\restrict", b"\\unrestrict")


def schema_sha256(lines: Iterable[bytes]) -> str:
    """Reads the lines of a schema."""
    digest = hashlib.sha256()
    for line in lines:
        if line.strip() and not line.startswith(_LEFT_OUT):
            digest.update(line)
    return digest.hexdigest()
