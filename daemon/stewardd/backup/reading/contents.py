"""Reads what stands beside the segments of a backup: `contents` and `globals`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from stewardd.backup.keys.encryption import AgeIdentity
from stewardd.backup.manifest.backup import BackupManifest
from stewardd.backup.manifest.contents import BACKUP_CONTENTS, CONTENTS, BackupContents
from stewardd.backup.reading.segment import read_object, unseal
from stewardd.errors import Corrupt
from stewardd.repository.backend.store import Store

_LARGEST_BYTES = 1 << 30
GLOBALS = "globals"


async def read_contents(
    store: Store, manifest: BackupManifest, identities: Iterable[AgeIdentity] = ()
) -> BackupContents:
    """What a backup holds; nothing in it for one of version 1. Raises: Corrupt, KeyMissing, RepositoryDown."""
    stored = manifest.contents
    if stored is None:
        return BackupContents(manifest.form)
    what = f"{CONTENTS} of backup {manifest.backup_id}"
    body = await read_object(store, manifest, CONTENTS, stored.size_bytes, stored.sha256)
    text = await asyncio.to_thread(unseal, manifest, body, tuple(identities), what, _LARGEST_BYTES)
    contents = BACKUP_CONTENTS.decode(text, what)
    if contents.form is not manifest.form:
        raise Corrupt(f"{what} is that of a backup of another form")
    return contents


async def read_globals(
    store: Store, manifest: BackupManifest, identities: Iterable[AgeIdentity] = ()
) -> bytes:
    """The SQL that makes the server's roles and tablespaces; b"" where the backup has none.

    Raises: Corrupt, KeyMissing, RepositoryDown.
    """
    stored = manifest.globals_object
    if stored is None:
        return b""
    what = f"{GLOBALS} of backup {manifest.backup_id}"
    body = await read_object(store, manifest, GLOBALS, stored.size_bytes, stored.sha256)
    return await asyncio.to_thread(unseal, manifest, body, tuple(identities), what, _LARGEST_BYTES)
