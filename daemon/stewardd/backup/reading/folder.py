"""Reads a backup of the form `directory`: its files, or some of them, into a folder that pg_restore takes.

Only the segments that hold wanted files are read. Each file's checksum is compared when it is complete.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from stewardd.backup.keys.encryption import AgeIdentity
from stewardd.backup.manifest.backup import BackupManifest, DumpForm
from stewardd.backup.manifest.contents import BackupContents, DumpFile, Piece
from stewardd.backup.reading.segment import unpacked_segment
from stewardd.errors import Corrupt, StorageFull
from stewardd.repository.backend.store import Store

_CHUNK_BYTES = 1 << 20
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
    keys = tuple(identities)
    for number, parts in sorted(_by_segment(wanted).items()):
        if number >= len(manifest.segments):
            raise Corrupt(f"the contents of backup {manifest.backup_id} name a segment that is not")
        chunks = unpacked_segment(store, manifest, manifest.segments[number], keys)
        await _write_parts(manifest, chunks, parts, folder, on_written)
    for file in wanted:
        await asyncio.to_thread(_check_file, manifest, folder, file)


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
    folder: Path,
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
            await asyncio.to_thread(
                _write, folder / part.file.name, part.file_offset + max(place - start, 0), data
            )
            on_written(len(data))
        left = [each for each in left if each.piece.offset + each.piece.size_bytes > end]
        place = end
    if left:
        raise Corrupt(f"a segment of backup {manifest.backup_id} is shorter than its contents say")


def _write(path: Path, offset: int, data: bytes) -> None:
    try:
        with path.open("r+b" if path.exists() else "xb") as stream:
            stream.seek(offset)
            stream.write(data)
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        raise StorageFull(
            f"no room to unpack the dump into {path.parent}",
            hint="free room on the disk of the daemon's scratch folder, or restore it where there is more",
        ) from error


def _check_file(manifest: BackupManifest, folder: Path, file: DumpFile) -> None:
    digest = hashlib.sha256()
    path = folder / file.name
    if not path.exists():  # of no bytes, at the very end of a segment
        path.touch()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
    if digest.hexdigest() != file.sha256:
        raise Corrupt(f"{file.name} of backup {manifest.backup_id} is not the file that was dumped")
