"""Masks a person in the lines of a batch of payloads, down to their innermost members.

Numbers keep their digits. A text that is no JSON is masked as text.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from stewardd.errors import Corrupt
from stewardd.quarantine.files.exact_json import Members, NotJson, Number, read_json, write_json
from stewardd.quarantine.files.payload_records import PAYLOAD, read_payload_record
from stewardd.quarantine.files.pointers import ROW, PersonalPointers
from stewardd.quarantine.removing.archives import ARCHIVE_CODEC
from stewardd.quarantine.removing.data_subject import MASKED_TEXT, DataSubject
from stewardd.schemas.members import escaped


class PayloadMask:
    """A Mask. `personal` are the JSON Pointers of members with personal data."""

    def __init__(self, subject: DataSubject, personal: frozenset[str]) -> None:
        self._subject = subject
        self._personal = PersonalPointers(personal)

    def cells(self, cells: Mapping[str, str]) -> dict[str, str]:
        """See Mask.cells."""
        return {name: self._payload(text) for name, text in cells.items()}

    def value(self, field: str, value: str | None) -> str | None:
        """See Mask.value. `field` is a pointer, and `value` the JSON text of what stands there, or its beginning."""
        if value is None:
            return None
        pointer = "" if field == ROW else field
        try:
            return write_json(self._masked(read_json(value), pointer))
        except NotJson:
            return MASKED_TEXT if self._personal.touches(field) else self._subject.masked(value)

    def valid_record(self, record: bytes) -> bytes | None:
        """See Mask.valid_record."""
        if not self._subject.may_be_in(record):
            return None
        text = record.decode(errors="replace")
        if not self._subject.is_in(text):
            return None
        return self._payload(text.rstrip("\r\n")).encode() + b"\n"

    def record(self, line: bytes) -> bytes:
        """See Mask.record."""
        read_payload_record(line)  # what is altered below has the members of a record
        return _line(self._record(_members(line, "a quarantined payload")))

    def archived(self, line: bytes) -> bytes:
        """See Mask.archived."""
        ARCHIVE_CODEC.decode(line, "an archived payload")
        found = dict(_members(line, "an archived payload"))
        found["record"] = self._record(found["record"])
        found["history"] = [self._event(dict(event)) for event in found["history"]]
        return _line(Members(found.items()))

    def _payload(self, text: str) -> str:
        try:
            return write_json(self._masked(read_json(text), ""))
        except NotJson:
            return self._subject.masked(text)

    def _masked(self, value: Any, pointer: str) -> Any:
        """A JSON value with the address masked in names and texts, and with its personal members masked."""
        if isinstance(value, Members):
            return Members(
                (self._subject.masked(name), self._masked(each, f"{pointer}/{escaped(name)}"))
                for name, each in value
            )
        if isinstance(value, list):
            return [self._masked(each, f"{pointer}/{at}") for at, each in enumerate(value)]
        personal = self._personal.covers(pointer)
        if isinstance(value, Number):
            return MASKED_TEXT if personal else value
        if isinstance(value, str):
            return self._subject.masked_value(value, personal=personal)
        return value

    def _record(self, members: Members) -> Members:
        found = dict(members)
        text = found.pop("rawRow", None)
        if text is None:
            text = base64.b64decode(found.pop("rawRowBase64")).decode(errors="replace")
        found["rawRow"] = self._payload(text)
        found["rawData"] = self._masked(found["rawData"], "")
        found["errors"] = [self._error(dict(each)) for each in found["errors"]]
        return self._named(found)

    def _event(self, found: dict[str, Any]) -> Members:
        if found.get("cells"):
            cells = dict(found["cells"])
            found["cells"] = Members(self.cells({PAYLOAD: cells[PAYLOAD]}).items())
        found["errors"] = [self._error(dict(each)) for each in found["errors"]]
        return self._named(found)

    def _error(self, found: dict[str, Any]) -> Members:
        found["value"] = self.value(found["field"], found["value"])
        return self._named(found)

    def _named(self, found: dict[str, Any]) -> Members:
        """The members, with the address masked in those that are texts, such as a file's name or an actor."""
        return Members(
            (name, self._subject.masked(value) if _is_text(value) else value)
            for name, value in found.items()
        )


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and not isinstance(value, Number)


def _members(line: bytes, what: str) -> Members:
    try:
        found = read_json(line.decode())
    except (NotJson, UnicodeDecodeError):
        found = None
    if not isinstance(found, Members):
        raise Corrupt(f"{what} cannot be read")
    return found


def _line(members: Members) -> bytes:
    return write_json(members).encode() + b"\n"
