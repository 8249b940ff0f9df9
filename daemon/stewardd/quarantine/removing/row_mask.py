"""Masks a person in the lines of a batch of CSV rows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from stewardd.quarantine.files.csv_records import cells_of, csv_line
from stewardd.quarantine.files.records import read_json_line, read_record
from stewardd.quarantine.removing.archives import ARCHIVE_CODEC
from stewardd.quarantine.removing.data_subject import DataSubject


class RowMask:
    """A Mask. `personal` are the columns with personal data, `delimiter` that of the file."""

    def __init__(self, subject: DataSubject, personal: frozenset[str], delimiter: str) -> None:
        self._subject = subject
        self._personal = personal
        self._delimiter = delimiter
        self._header: list[str] | None = None

    def cells(self, cells: Mapping[str, str]) -> dict[str, str]:
        """See Mask.cells."""
        return self._subject.masked_cells(cells, self._personal)

    def value(self, field: str, value: str | None) -> str | None:
        """See Mask.value."""
        return self._subject.masked_value(value, personal=field in self._personal)

    def valid_record(self, record: bytes) -> bytes | None:
        """See Mask.valid_record. The first record is the header, which names nobody."""
        if self._header is None:
            self._header = cells_of(record, self._delimiter)
            return None
        if not self._subject.may_be_in(record):
            return None
        cells = cells_of(record, self._delimiter)
        if not any(self._subject.is_in(cell) for cell in cells):
            return None
        masked = self.cells(dict(zip(self._header, cells, strict=False)))
        end = "\r\n" if record.endswith(b"\r\n") else "\n"
        return csv_line(list(masked.values()), self._delimiter, end)

    def record(self, line: bytes) -> bytes:
        """See Mask.record."""
        read_record(line)  # what is altered below has the members of a record
        found = read_json_line(line, "a quarantined record")
        self._mask_record(found)
        return _json_line(self._subject.masked_json(found))

    def archived(self, line: bytes) -> bytes:
        """See Mask.archived."""
        ARCHIVE_CODEC.decode(line, "an archived row")
        found = read_json_line(line, "an archived row")
        read_record(_json_line(found["record"]))
        self._mask_record(found["record"])
        for event in found["history"]:
            if event["cells"]:
                event["cells"] = self.cells(event["cells"])
            self._mask_errors(event["errors"])
        return _json_line(self._subject.masked_json(found))

    def _mask_record(self, found: dict[str, Any]) -> None:
        raw_data = found["rawData"]
        cells = {name: value for name, value in raw_data.items() if isinstance(value, str)}
        masked = self.cells(cells)
        extra = [
            self._subject.masked(each)
            for value in raw_data.values()
            if isinstance(value, list)
            for each in value
        ]
        found["rawData"] = {name: masked.get(name, extra) for name in raw_data}
        self._mask_errors(found["errors"])
        # The raw bytes held all of it: they are replaced by a record of the masked cells.
        found.pop("rawRowBase64", None)
        found["rawRow"] = csv_line([*masked.values(), *extra], self._delimiter, "").decode()

    def _mask_errors(self, errors: list[dict[str, Any]]) -> None:
        for error in errors:
            error["value"] = self.value(error["field"], error["value"])


def _json_line(found: Any) -> bytes:
    return json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
