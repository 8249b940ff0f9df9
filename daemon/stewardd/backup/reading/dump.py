"""Reads a backup of the form `custom`: the dump as pg_dump wrote it.

The checksum of the whole dump is compared at its end, so only a stream that ends without an error is the dump.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterable

from stewardd.backup.keys.encryption import AgeIdentity
from stewardd.backup.manifest.backup import BackupManifest, DumpForm
from stewardd.backup.reading.segment import unpacked_segment
from stewardd.errors import Corrupt
from stewardd.repository.backend.store import Store


async def read_dump(
    store: Store, manifest: BackupManifest, identities: Iterable[AgeIdentity] = ()
) -> AsyncIterator[bytes]:
    """The dump in chunks of at most a mebibyte. Raises: Corrupt, KeyMissing, RepositoryDown."""
    if manifest.form is not DumpForm.CUSTOM:
        raise ValueError(f"backup {manifest.backup_id} is no stream but a folder")
    whole, size_bytes = hashlib.sha256(), 0
    keys = tuple(identities)
    for segment in manifest.segments:
        async for chunk in unpacked_segment(store, manifest, segment, keys):
            size_bytes += len(chunk)
            if size_bytes > manifest.dump_size_bytes:
                raise Corrupt(f"backup {manifest.backup_id} unpacks to more than its manifest says")
            whole.update(chunk)
            yield chunk
    if size_bytes != manifest.dump_size_bytes or whole.hexdigest() != manifest.dump_sha256:
        raise Corrupt(
            f"the segments of backup {manifest.backup_id} are not the dump that its manifest describes"
        )
