"""Reads the table of contents of a stored backup, and no more of it than that takes: its first segments, or one file.

What is read is checked as everything else is: a segment against the signed manifest, before a byte of it is decrypted.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

from stewardd.backup.keys.encryption import AgeIdentity
from stewardd.backup.making.staging import TABLE_OF_CONTENTS
from stewardd.backup.manifest.backup import BackupManifest, DumpForm
from stewardd.backup.manifest.contents import BackupContents
from stewardd.backup.reading.dump import read_dump
from stewardd.backup.reading.folder import read_folder
from stewardd.backup.restoring.table_of_contents import (
    NeedMore,
    TableOfContents,
    read_table_of_contents,
)
from stewardd.errors import Corrupt
from stewardd.repository.backend.store import Store


async def read_head(
    store: Store,
    manifest: BackupManifest,
    contents: BackupContents,
    identities: Iterable[AgeIdentity],
    scratch: Path,
) -> TableOfContents:
    """Reads it. Raises: Corrupt, KeyMissing, BackupNotFound, RepositoryDown."""
    if manifest.form is DumpForm.DIRECTORY:
        found = await _from_folder(store, manifest, contents, identities, scratch)
    else:
        found = await _from_stream(store, manifest, identities)
    files = {each.name for each in contents.files}
    for entry in found.entries:
        # pg_restore opens a file by the name that stands here: one that is not a file of the backup leads elsewhere.
        if entry.file and entry.file not in files:
            raise Corrupt(
                f"backup {manifest.backup_id} names a file {entry.file!r} that it does not have"
            )
    return found


async def _from_folder(
    store: Store,
    manifest: BackupManifest,
    contents: BackupContents,
    identities: Iterable[AgeIdentity],
    scratch: Path,
) -> TableOfContents:
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="restore-plan-", dir=scratch))
    try:
        names = {TABLE_OF_CONTENTS}
        await read_folder(store, manifest, contents, folder, identities=identities, names=names)
        data = await asyncio.to_thread((folder / TABLE_OF_CONTENTS).read_bytes)
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    try:
        return await asyncio.to_thread(read_table_of_contents, data)
    except NeedMore:
        raise Corrupt(f"the table of contents of backup {manifest.backup_id} is cut off") from None


async def _from_stream(
    store: Store, manifest: BackupManifest, identities: Iterable[AgeIdentity]
) -> TableOfContents:
    try:
        return await read_stream_head(read_dump(store, manifest, identities))
    except NeedMore:
        raise Corrupt(f"the table of contents of backup {manifest.backup_id} is cut off") from None


async def read_stream_head(chunks: AsyncIterator[bytes]) -> TableOfContents:
    """Reads the table at the beginning of a stream, and closes it. Raises: NeedMore where that ends, Corrupt."""
    data, tried_at = bytearray(), 0
    try:
        async for chunk in chunks:
            data += chunk
            if len(data) < 2 * tried_at:  # a long table is not read anew with every chunk
                continue
            tried_at = len(data)
            try:
                return await asyncio.to_thread(read_table_of_contents, bytes(data))
            except NeedMore:
                continue
    finally:
        await chunks.aclose()  # type: ignore[attr-defined]  # it is a generator
    return await asyncio.to_thread(read_table_of_contents, bytes(data))
