"""Files of JSON lines that are sorted by the row number which each line begins with: the file is its own index.

A row is found by interpolation over byte ranges: a few small reads, however long the file is, on a bucket as on a disk.
"""

from __future__ import annotations

from collections.abc import Iterator

from stewardd.errors import Corrupt
from stewardd.quarantine.blocking import READ_BYTES, BlockingStore

# A record line cannot be longer: the engine bounds the record, and JSON escapes a byte by at most six.
LINE_BYTES = 256 * 1024 * 1024
_PROBE_BYTES = 16 * 1024
_NEAR_BYTES = 128 * 1024
_NEAR_ROWS = 500


class SortedLines:
    """Such a file. `prefix` is what stands before the number: `{"row":` or `{"rowNumber":`."""

    def __init__(self, store: BlockingStore, key: str, size_bytes: int, prefix: bytes) -> None:
        self._store = store
        self._key = key
        self.size_bytes = size_bytes
        self._prefix = prefix

    def number_of(self, line: bytes) -> int:
        """The row number that a line begins with. Corrupt."""
        end = line.find(b",", len(self._prefix), len(self._prefix) + 24)
        digits = line[len(self._prefix) : end]
        if not line.startswith(self._prefix) or not digits.isdigit():
            raise Corrupt("a line of the quarantine does not begin with its row")
        return int(digits)

    def seek(self, row: int) -> int:
        """Where the first line begins whose number is at least `row`; the file's size where there is none."""
        # `low` is where a line begins that is before the row, or the beginning; `high` only says where to look.
        low, high = 0, self.size_bytes
        low_row = 0
        high_row: int | None = None
        halve = False
        while high - low > _NEAR_BYTES:
            middle = _between(low, high, low_row, high_row, row, halve=halve)
            found = self._line_after(middle, high)
            if found is None:
                high = middle  # no line begins between here and there
                halve = True
                continue
            begin, number = found
            before = high - low
            if number < row:
                low, low_row = begin, number
            else:
                high, high_row = middle, number
            halve = (
                high - low > before // 2
            )  # interpolation did badly: the rows are not spread evenly
        for offset, line in self.read(low):
            if self.number_of(line) >= row:
                return offset
        return self.size_bytes

    def select(self) -> Selection:
        """For who asks for some rows, in ascending order."""
        return Selection(self)

    def read(
        self, offset: int = 0, *, chunk_bytes: int = READ_BYTES, needle: bytes | None = None
    ) -> Iterator[tuple[int, bytes]]:
        """The lines from an offset on, at which one must begin, each with its own.

        With a needle only those that hold it, found without looking at the others one by one, and one of each chunk, so
        that whoever counts what was gone through comes to do so.
        """
        if offset >= self.size_bytes:
            return
        held = bytearray()
        for data in self._store.read(self._key, offset=offset, chunk_bytes=chunk_bytes):
            held += data
            end = held.rfind(b"\n") + 1
            if end:
                block = bytes(held[:end])
                for begin, stop in _places(block) if needle is None else _holding(block, needle):
                    yield offset + begin, block[begin:stop]
                del held[:end]
                offset += end
            if len(held) > LINE_BYTES:
                raise Corrupt("a line of the quarantine has no end")
        if held:
            raise Corrupt("a file of the quarantine ends in the middle of a line")

    def _line_after(self, position: int, high: int) -> tuple[int, int] | None:
        """Begin and number of the first line that begins after `position` and before `high`."""
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


class Selection:
    """The lines of rows that are asked for in ascending order: it reads on where they are near, and seeks where not."""

    def __init__(self, lines: SortedLines) -> None:
        self._source = lines
        self._lines: Iterator[tuple[int, bytes]] = iter(())
        self._held: bytes | None = None
        self._at = -_NEAR_ROWS

    def at(self, row: int) -> bytes | None:
        """The line of a row; None where there is none."""
        number_of = self._source.number_of
        if row - self._at >= _NEAR_ROWS:
            self._lines = self._source.read(self._source.seek(row))
            self._held = next(self._lines, (0, None))[1]
        while self._held is not None and number_of(self._held) < row:
            self._held = next(self._lines, (0, None))[1]
        self._at = row
        return self._held if self._held is not None and number_of(self._held) == row else None


def _places(block: bytes) -> Iterator[tuple[int, int]]:
    """Begin and end of every line."""
    begin = 0
    while (end := block.find(b"\n", begin) + 1) > 0:
        yield begin, end
        begin = end


def _holding(block: bytes, needle: bytes) -> Iterator[tuple[int, int]]:
    """Begin and end of the first line, and of those that hold the needle."""
    done = block.find(b"\n") + 1
    yield 0, done
    while (hit := block.find(needle, done)) >= 0:
        begin = block.rfind(b"\n", 0, hit) + 1
        done = block.find(b"\n", hit) + 1
        yield begin, done


def _between(
    low: int, high: int, low_row: int, high_row: int | None, row: int, *, halve: bool
) -> int:
    """Where to look next: by interpolation, kept off the ends so that every look is worth it."""
    if halve or high_row is None or high_row <= low_row:
        return (low + high) // 2
    span = high - low
    guess = low + span * (row - low_row) // (high_row - low_row)
    margin = span // 16
    return min(max(guess - _PROBE_BYTES, low + margin), high - margin)
