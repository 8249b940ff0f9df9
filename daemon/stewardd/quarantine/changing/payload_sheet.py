"""Reading rows.jsonl, the file in which people correct payloads (files/payload_sheet.py says how a line looks).

Members may stand in any order, and others may be added. What could be read in two ways is refused by its line.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from stewardd.errors import Exhausted, InputRefused
from stewardd.quarantine.changing.sheet import SheetRow
from stewardd.quarantine.files import payload_sheet as line_form
from stewardd.quarantine.files.exact_json import Members, NotJson, Number, read_json
from stewardd.quarantine.files.payload_records import PAYLOAD
from stewardd.quarantine.files.sheet_layout import BYTE_ORDER_MARK

_HINT = "send the file that `steward quarantine export` wrote, each payload on a line of its own"
_MAX_ROW = 10**18


def is_payload_sheet(path: Path) -> bool:
    """Whether a file begins as JSON Lines do, and no CSV with a column of row numbers."""
    with path.open("rb") as file:
        return file.read(4096).removeprefix(BYTE_ORDER_MARK).lstrip().startswith(b"{")


class PayloadSheet:
    """A file of payloads. It has the methods of Sheet. For worker threads."""

    def __init__(self, path: Path, *, max_rows: int) -> None:
        self._path = path
        self._max_rows = max_rows

    def rows(self) -> Iterator[SheetRow]:
        """The payloads in the order of the file. Raises: InputRefused; Exhausted for too many."""
        found = 0
        with self._path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                content = line.removeprefix(BYTE_ORDER_MARK) if number == 1 else line
                if not content.strip():
                    continue
                found += 1
                if found > self._max_rows:
                    raise Exhausted(
                        f"the file has more than {self._max_rows} payloads",
                        hint="split it, or raise `quarantine.max_sheet_rows`",
                    )
                yield _row(number, content)

    def batch(self) -> str:
        """The batch that the lines name. Empty where none does. Raises: InputRefused, also without lines."""
        row = None
        for row in self.rows():
            if row.batch:
                return row.batch
        if row is None:
            raise InputRefused("the file has no payloads", hint=_HINT)
        return ""


def _row(line: int, content: bytes) -> SheetRow:
    try:
        members = read_json(content.decode())
    except (NotJson, UnicodeDecodeError):
        raise InputRefused(f"line {line} is no JSON", hint=_HINT) from None
    if not isinstance(members, Members):
        raise InputRefused(f"line {line} is no JSON object", hint=_HINT)
    names = [name for name, _ in members]
    for name in (line_form.BATCH, line_form.ROW, line_form.ETAG, line_form.PAYLOAD, line_form.TEXT):
        if names.count(name) > 1:
            raise InputRefused(f"line {line} has the member {name!r} twice", hint=_HINT)
    found = dict(members)
    number = found.get(line_form.ROW)
    if not isinstance(number, Number) or not number.isdigit() or not 0 < int(number) < _MAX_ROW:
        raise InputRefused(
            f"line {line} has no row number", hint="leave the member `row` as it was exported"
        )
    payload = line_form.payload_of(members)
    if payload is None:
        raise InputRefused(f"line {line} has no payload", hint=_HINT)
    return SheetRow(
        line=line,
        batch=_text(found.get(line_form.BATCH)).removeprefix("batches/"),
        number=int(number),
        etag=_text(found.get(line_form.ETAG)),
        cells={PAYLOAD: payload},
    )


def _text(value: object) -> str:
    return str(value).strip() if isinstance(value, str) else ""
