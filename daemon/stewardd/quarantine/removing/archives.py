"""Archives of purged rows: compressed JSON lines, each with a record, its state and its history."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import zstandard

from stewardd.batches.states import RowState
from stewardd.quarantine.files.blocking_store import BlockingStore
from stewardd.quarantine.log.commits import RowEvent

ARCHIVE = "rows.jsonl.zst"


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
    found: dict[str, Any] = {
        "record": json.loads(line),
        "state": state.state.name.lower(),
        "attempt": state.attempt,
        "history": [json.loads(event.to_line()) for event in events],
    }
    return json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def archive_lines(store: BlockingStore, key: str) -> Iterator[bytes]:
    """The lines of an archive. For worker threads."""
    stream = zstandard.ZstdDecompressor().decompressobj()
    held = b""
    for data in store.read(key):
        held += stream.decompress(data)
        *lines, held = held.split(b"\n")
        for line in lines:
            yield line + b"\n"
