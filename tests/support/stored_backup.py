"""Backups as they lie in a repository: of made up bytes, with a manifest that is signed and true."""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime

from stewardd.backup.keys.signing import SigningKey
from stewardd.backup.manifest.backup import (
    USUAL_COMPRESSION,
    BackupManifest,
    DumpForm,
    Encryption,
    Globals,
    Segment,
)
from stewardd.backup.manifest.codec import SIGNED_MANIFEST
from stewardd.repository.backend.store import Store
from stewardd.repository.identifiers import folder_of, uuid7
from stewardd.repository.publication import MANIFEST

KEY = SigningKey.generate()


async def store_backup(
    store: Store,
    *,
    database: str = "main",
    segments: int = 2,
    segment_bytes: int = 3000,
    key: SigningKey = KEY,
) -> str:
    """Puts a backup; returns its id."""
    backup_id = uuid7()
    folder = folder_of("backups", backup_id)
    named = []
    for number in range(segments):
        body = os.urandom(segment_bytes)
        name = f"segment-{number:06}"
        await store.put(f"{folder}/{name}", body)
        named.append(Segment(name, len(body), hashlib.sha256(body).hexdigest()))
    now = datetime.now(UTC)
    manifest = BackupManifest(
        backup_id=backup_id,
        database=database,
        description="",
        snapshot_time=now,
        create_time=now,
        elapsed_s=1.0,
        database_size_bytes=8000,
        dump_size_bytes=6000,
        dump_sha256="a" * 64,
        server_version="18.6",
        tool_version="18.6",
        form=DumpForm.CUSTOM,
        compression=USUAL_COMPRESSION,
        encryption=Encryption.NONE,
        globals=Globals.NONE,
        segments=tuple(named),
        stored_size_bytes=sum(each.size_bytes for each in named),
        signer=key.public_key,
    )
    await store.put(f"{folder}/{MANIFEST}", SIGNED_MANIFEST.encode(manifest, key))
    return backup_id


async def objects(store: Store, backup_id: str) -> dict[str, bytes]:
    """The objects of a backup, by name."""
    folder = folder_of("backups", backup_id)
    return {
        meta.key.rpartition("/")[2]: await store.get(meta.key) async for meta in store.list(folder)
    }


def segment_key(backup_id: str, number: int = 0) -> str:
    """The key of a segment."""
    return f"{folder_of('backups', backup_id)}/segment-{number:06}"
