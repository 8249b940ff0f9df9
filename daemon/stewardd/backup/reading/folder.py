"""Reads a backup of the form `directory`: its files, or some of them, into a folder that pg_restore takes.

Only the segments that hold wanted files are read. Each file's checksum is compared when it is complete.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from contextlib import aclosing
from pathlib import Path

from stewardd.backup.keys.encryption import AgeIdentity
from stewardd.backup.manifest.backup import BackupManifest, DumpForm
from stewardd.backup.manifest.contents import BackupContents, DumpFile
from stewardd.backup.reading.ahead import one_ahead
from stewardd.backup.reading.folder_writer import FilePart, FolderWriter
from stewardd.backup.reading.segment import OpenedSegment, open_segment
from stewardd.errors import Corrupt
from stewardd.repository.backend.store import Store
from stewardd.uninterrupted import uninterrupted


async def read_folder(
    store: Store,
    manifest: BackupManifest,
    contents: BackupContents,
    folder: Path,
    *,
    identities: Iterable[AgeIdentity] = (),
    names: Collection[str] | None = None,
    on_written: Callable[[int], None] = lambda _: None,
) -> None:
    """Writes the files of a dump, or those named, into an empty folder.

    `on_written` is told the bytes of each write, on a thread. Raises: Corrupt, KeyMissing, StorageFull, RepositoryDown.
    """
    if manifest.form is not DumpForm.DIRECTORY:
        raise ValueError(f"backup {manifest.backup_id} is no folder but a stream")
    wanted = [each for each in contents.files if names is None or each.name in names]
    keys = tuple(identities)
    needed = _by_segment(wanted)
    if max(needed, default=-1) >= len(manifest.segments):
        raise Corrupt(f"the contents of backup {manifest.backup_id} name a segment that is not")

    async def opened() -> AsyncIterator[tuple[Sequence[FilePart], OpenedSegment]]:
        for number, parts in sorted(needed.items()):
            yield parts, await open_segment(store, manifest, manifest.segments[number], keys)

    writer = FolderWriter(folder, wanted, on_written)
    try:
        async with aclosing(one_ahead(opened())) as segments:
            async for parts, segment in segments:
                await asyncio.to_thread(writer.write, segment, parts)
        damaged = await asyncio.to_thread(writer.damaged, wanted)
        if damaged is not None:
            raise Corrupt(
                f"{damaged.name} of backup {manifest.backup_id} is not the file that was dumped"
            )
    finally:
        writer.stop()
        await uninterrupted(asyncio.to_thread(writer.close))


def _by_segment(files: Iterable[DumpFile]) -> dict[int, list[FilePart]]:
    """The parts of each segment, in their order."""
    found: dict[int, list[FilePart]] = defaultdict(list)
    for file in files:
        offset = 0
        for piece in file.pieces:
            if piece.size_bytes:
                found[piece.segment].append(FilePart(file, piece, offset))
            offset += piece.size_bytes
    return {
        number: sorted(parts, key=lambda part: part.piece.offset) for number, parts in found.items()
    }
