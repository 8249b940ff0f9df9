"""Archives of purged rows: compressed JSON lines, each with a record, its state and its history."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import zstandard

from stewardd.batches.states import RowState
from stewardd.quarantine.files.blocking_store import BlockingStore
from stewardd.quarantine.files.records import read_json_line
from stewardd.quarantine.log.changes import HistoryDocument, RowEvent, history_document
from stewardd.repository.document import Codec, Count, JsonObject

ARCHIVE = "rows.jsonl.zst"


@dataclass(frozen=True, slots=True)
class ArchiveDocument:
    """A line of an archive: a purged row as it came, its state, and its events."""

    record: JsonObject
    state: str
    attempt: Count
    history: tuple[HistoryDocument, ...]


ARCHIVE_CODEC = Codec(ArchiveDocument)


class ArchiveWriter:
    """Writes a new archive into a folder. Use it in a `with` block, or close it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / ARCHIVE
        self._file = self.path.open("wb")
        self._stream = zstandard.ZstdCompressor().stream_writer(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def write(self, line: bytes) -> None:
        """Writes a line."""
        self._stream.write(line)

    def close(self) -> None:
        """Writes the end of the archive."""
        self._stream.close()  # type: ignore[no-untyped-call]
        self._file.close()


def archive_line(line: bytes, state: RowState, events: list[RowEvent]) -> bytes:
    """The line of a row in an archive. `line` is that of records.jsonl."""
    return ARCHIVE_CODEC.encode(
        ArchiveDocument(
            read_json_line(line, "a quarantined record"),
            state.state.name.lower(),
            state.attempt,
            tuple(history_document(event) for event in events),
        )
    )


def archive_lines(store: BlockingStore, key: str) -> Iterator[bytes]:
    """The lines of an archive. For worker threads."""
    stream = zstandard.ZstdDecompressor().decompressobj()
    held = b""
    for data in store.read(key):
        held += stream.decompress(data)
        *lines, held = held.split(b"\n")
        for line in lines:
            yield line + b"\n"
