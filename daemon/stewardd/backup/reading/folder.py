"""Reads a backup of the form `directory`: its files, or some of them, into a folder that pg_restore takes.

Only the segments that hold wanted files are read. Each file's checksum is compared when it is complete.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from stewardd.backup.keys.encryption import AgeIdentity
from stewardd.backup.manifest.backup import BackupManifest, DumpForm
from stewardd.backup.manifest.contents import BackupContents, DumpFile, Piece
from stewardd.backup.reading.ahead import one_ahead
from stewardd.backup.reading.segment import OpenedSegment, open_segment
from stewardd.errors import Corrupt, StorageFull
from stewardd.repository.backend.store import Store

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})


@dataclass(frozen=True, slots=True)
class _Part:
    """A piece of a file within a segment, and where in the file it goes."""

    file: DumpFile
    piece: Piece
    file_offset: int


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
    """Writes the files of a dump, or those named, into an empty folder; `on_written` is told the bytes of each write.

    Raises: Corrupt, KeyMissing, StorageFull, RepositoryDown.
    """
    if manifest.form is not DumpForm.DIRECTORY:
        raise ValueError(f"backup {manifest.backup_id} is no folder but a stream")
    wanted = [each for each in contents.files if names is None or each.name in names]
    written = {each.name: _WrittenFile(folder / each.name) for each in wanted}
    keys = tuple(identities)
    needed = _by_segment(wanted)
    if max(needed, default=-1) >= len(manifest.segments):
        raise Corrupt(f"the contents of backup {manifest.backup_id} name a segment that is not")

    async def opened() -> AsyncIterator[tuple[Sequence[_Part], OpenedSegment]]:
        for number, parts in sorted(needed.items()):
            yield parts, await open_segment(store, manifest, manifest.segments[number], keys)

    async with aclosing(one_ahead(opened())) as segments:
        async for parts, segment in segments:
            async with aclosing(one_ahead(segment.chunks())) as chunks:
                await _write_parts(manifest, chunks, parts, written, on_written)
    for file in wanted:
        if await asyncio.to_thread(written[file.name].checksum) != file.sha256:
            raise Corrupt(
                f"{file.name} of backup {manifest.backup_id} is not the file that was dumped"
            )


def _by_segment(files: Iterable[DumpFile]) -> dict[int, list[_Part]]:
    found: dict[int, list[_Part]] = defaultdict(list)
    for file in files:
        offset = 0
        for piece in file.pieces:
            found[piece.segment].append(_Part(file, piece, offset))
            offset += piece.size_bytes
    return {
        number: sorted(parts, key=lambda part: part.piece.offset) for number, parts in found.items()
    }


async def _write_parts(
    manifest: BackupManifest,
    chunks: AsyncIterator[bytes],
    parts: Sequence[_Part],
    written: Mapping[str, _WrittenFile],
    on_written: Callable[[int], None],
) -> None:
    """Goes through a segment once, and writes what belongs to each part."""
    place, left = 0, list(parts)
    async for chunk in chunks:
        end = place + len(chunk)
        for part in left:
            start, stop = part.piece.offset, part.piece.offset + part.piece.size_bytes
            if start > end:
                break
            data = chunk[max(start - place, 0) : max(stop - place, 0)]
            offset = part.file_offset + max(place - start, 0)
            await asyncio.to_thread(written[part.file.name].write, offset, data)
            on_written(len(data))
        left = [each for each in left if each.piece.offset + each.piece.size_bytes > end]
        place = end
    if left:
        raise Corrupt(f"a segment of backup {manifest.backup_id} is shorter than its contents say")


class _WrittenFile:
    """A file in the making. What is written in its order is hashed on the way, and not read again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._digest = hashlib.sha256()
        self._hashed_bytes = 0
        self._is_in_order = True

    def write(self, offset: int, data: bytes) -> None:
        """Writes a piece. Blocks. Raises: StorageFull."""
        try:
            with self._path.open("r+b" if self._path.exists() else "xb") as stream:
                stream.seek(offset)
                stream.write(data)
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            raise StorageFull(
                f"no room to unpack the dump into {self._path.parent}",
                hint="free room on the disk of the daemon's scratch folder, or restore it where there is more",
            ) from error
        self._is_in_order = self._is_in_order and offset == self._hashed_bytes
        if self._is_in_order:
            self._digest.update(data)
            self._hashed_bytes += len(data)

    def checksum(self) -> str:
        """The SHA-256 of the whole file, in hex. Blocks."""
        self._path.touch()  # of no bytes, at the very end of a segment
        if self._is_in_order:
            return self._digest.hexdigest()
        with self._path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
