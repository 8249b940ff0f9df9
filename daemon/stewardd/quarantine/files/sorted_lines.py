"""Files of JSON lines, sorted by the row number with which each line begins.

Such a file needs no index: a row is found by interpolation over byte ranges. That takes a few small reads, whatever the
length of the file, in a bucket as on a disk.
"""

from __future__ import annotations

from collections.abc import Iterator

from stewardd.errors import Corrupt
from stewardd.quarantine.files.blocking_store import READ_BYTES, BlockingStore

# No line is longer: the engine bounds the record, and JSON writes a byte as six characters at most.
LINE_BYTES = 256 * 1024 * 1024
_PROBE_BYTES = 16 * 1024
_NEAR_BYTES = 128 * 1024
_NEAR_ROWS = 500


class SortedLines:
    """A sorted file. `prefix` stands before the number in each line: `{"row":` or `{"rowNumber":`."""

    def __init__(self, store: BlockingStore, key: str, size_bytes: int, prefix: bytes) -> None:
        self._store = store
        self._key = key
        self.size_bytes = size_bytes
        self._prefix = prefix

    def number_of(self, line: bytes) -> int:
        """The row number with which a line begins. Raises: Corrupt."""
        end = line.find(b",", len(self._prefix), len(self._prefix) + 24)
        digits = line[len(self._prefix) : end]
        if not line.startswith(self._prefix) or not digits.isdigit():
            raise Corrupt("a line of the quarantine does not begin with its row")
        return int(digits)

    def seek(self, row: int) -> int:
        """The offset of the first line whose number is at least `row`. The size of the file where there is none."""
        # Invariant: a line before the row begins at `low`, or `low` is 0. `high` only bounds the search.
        low, high = 0, self.size_bytes
        low_row = 0
        high_row: int | None = None
        halve = False
        while high - low > _NEAR_BYTES:
            middle = _next_probe(low, high, low_row, high_row, row, halve=halve)
            found = self._line_after(middle, high)
            if found is None:
                high = middle  # no line begins between `middle` and `high`
                halve = True
                continue
            begin, number = found
            before = high - low
            if number < row:
                low, low_row = begin, number
            else:
                high, high_row = middle, number
            # The rows are not spread evenly where interpolation leaves more than half.
            halve = high - low > before // 2
        for offset, line in self.read(low):
            if self.number_of(line) >= row:
                return offset
        return self.size_bytes

    def ascending_lookup(self) -> AscendingLookup:
        """A lookup of some rows in ascending order."""
        return AscendingLookup(self)

    def read(
        self, offset: int = 0, *, chunk_bytes: int = READ_BYTES, needle: bytes | None = None
    ) -> Iterator[tuple[int, bytes]]:
        """Yields (offset, line) from an offset on, at which a line must begin.

        With a needle it yields only the lines that hold it, found without splitting the others, and the first line of
        each chunk: so a caller that counts the bytes it has passed gets to do so.
        """
        if offset >= self.size_bytes:
            return
        held = bytearray()
        for data in self._store.read(self._key, offset=offset, chunk_bytes=chunk_bytes):
            held += data
            end = held.rfind(b"\n") + 1
            if end:
                block = bytes(held[:end])
                for begin, stop in (
                    _line_spans(block) if needle is None else _spans_with(block, needle)
                ):
                    yield offset + begin, block[begin:stop]
                del held[:end]
                offset += end
            if len(held) > LINE_BYTES:
                raise Corrupt("a line of the quarantine has no end")
        if held:
            raise Corrupt("a file of the quarantine ends in the middle of a line")

    def _line_after(self, position: int, high: int) -> tuple[int, int] | None:
        """Offset and number of the first line that begins after `position` and before `high`."""
        length = _PROBE_BYTES
        while position < high:
            data = self._store.get_range(self._key, position, min(length, high - position))
            newline = data.find(b"\n")
            if newline >= 0:
                begin = position + newline + 1
                if begin >= high:
                    return None
                return begin, self.number_of(self._store.get_range(self._key, begin, 64))
            position += len(data)
            length = min(length * 4, 4 * 1024 * 1024)
        return None


class AscendingLookup:
    """Looks up rows in ascending order. To a near row it reads on, to a far one it seeks."""

    def __init__(self, lines: SortedLines) -> None:
        self._source = lines
        self._lines: Iterator[tuple[int, bytes]] = iter(())
        self._held: bytes | None = None
        self._at = -_NEAR_ROWS

    def at(self, row: int) -> bytes | None:
        """The line of a row. None where the file has none."""
        number_of = self._source.number_of
        if row - self._at >= _NEAR_ROWS:
            self._lines = self._source.read(self._source.seek(row))
            self._held = next(self._lines, (0, None))[1]
        while self._held is not None and number_of(self._held) < row:
            self._held = next(self._lines, (0, None))[1]
        self._at = row
        return self._held if self._held is not None and number_of(self._held) == row else None


def _line_spans(block: bytes) -> Iterator[tuple[int, int]]:
    """Begin and end of every line."""
    begin = 0
    while (end := block.find(b"\n", begin) + 1) > 0:
        yield begin, end
        begin = end


def _spans_with(block: bytes, needle: bytes) -> Iterator[tuple[int, int]]:
    """Begin and end of the first line, and of each line that holds the needle."""
    done = block.find(b"\n") + 1
    yield 0, done
    while (hit := block.find(needle, done)) >= 0:
        begin = block.rfind(b"\n", 0, hit) + 1
        done = block.find(b"\n", hit) + 1
        yield begin, done


def _next_probe(
    low: int, high: int, low_row: int, high_row: int | None, row: int, *, halve: bool
) -> int:
    """Where to look next: by interpolation, kept off both ends so that each read narrows the range."""
    if halve or high_row is None or high_row <= low_row:
        return (low + high) // 2
    span = high - low
    guess = low + span * (row - low_row) // (high_row - low_row)
    margin = span // 16
    return min(max(guess - _PROBE_BYTES, low + margin), high - margin)
