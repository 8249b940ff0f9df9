"""Masks a person in one batch: in its records, valid rows, events, exports and archives.

In a row that names the person, the columns with personal data are masked as well. Elsewhere only the address is.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from stewardd.errors import Corrupt
from stewardd.quarantine.files.record_files import valid_file
from stewardd.quarantine.files.records import (
    RECORDS,
    RowViolation,
    read_json_line,
)
from stewardd.quarantine.finding.rows import BatchRows
from stewardd.quarantine.log.changes import RowEvent
from stewardd.quarantine.removing.archives import ArchiveWriter, archive_lines
from stewardd.quarantine.removing.data_subject import DataSubject
from stewardd.quarantine.removing.rewrite_rules import RewriteResult


@dataclass(slots=True)
class ErasedCounts:
    """The counts of what was masked in one batch."""

    quarantined_rows: int = 0
    valid_rows: int = 0
    events: int = 0
    archived_rows: int = 0

    def __bool__(self) -> bool:
        return self != ErasedCounts()


class Mask(Protocol):
    """Masks a person in lines that name the person. What is personal data there is masked as well."""

    def cells(self, cells: Mapping[str, str]) -> dict[str, str]:
        """The cells of a correction."""

    def value(self, field: str, value: str | None) -> str | None:
        """The value of a violation in a field."""

    def valid_record(self, record: bytes) -> bytes | None:
        """A record of the valid file. None where it does not name the person."""

    def record(self, line: bytes) -> bytes:
        """A line of records.jsonl. Raises: Corrupt."""

    def archived(self, line: bytes) -> bytes:
        """A line of an archive. Raises: Corrupt."""


class ErasureRules:
    """Masks a person in one batch. The methods are described in RewriteRules."""

    def __init__(self, subject: DataSubject, mask: Mask, hashed: str) -> None:
        self._subject = subject
        self._mask = mask
        self._hashed = hashed
        self.counts = ErasedCounts()

    def apply_to(self, rows: BatchRows) -> bool:
        """See RewriteRules.apply_to."""
        self.counts = ErasedCounts()  # not what an attempt counted that another writer overtook
        subject, batch = self._subject, rows.batch
        keys = [
            batch.key(file) for file in (batch.file(RECORDS), valid_file(batch)) if file is not None
        ]
        return (
            any(subject.may_be_among(rows.store.read(key)) for key in keys)
            or any(
                self._is_in_data(event) or self._is_named_by(event)
                for _, events in rows.events.of_rows()
                for event in events
            )
            or any(subject.is_in(each.actor) for each in rows.state.exports)
            or any(
                subject.may_be_in(line)
                for name in rows.state.archives
                for line in archive_lines(rows.store, f"{batch.folder}/{name}")
            )
        )

    def start(self, rows: BatchRows, folder: Path) -> None:
        """See RewriteRules.start."""
        self.counts = ErasedCounts()
        self._rows = rows
        self._folder = folder

    def rewrite_row(
        self,
        number: int,  # noqa: ARG002  # RewriteRules has it
        line: bytes,
        events: list[RowEvent],
    ) -> tuple[bytes | None, list[RowEvent]]:
        """See RewriteRules.rewrite_row."""
        if self._is_in_line(line) or any(self._is_in_data(event) for event in events):
            # The person's row, even if only one event names the person: the record and all events are masked.
            self.counts.quarantined_rows += 1
            self.counts.events += len(events)
            return self._mask.record(line), [self._masked_event(event) for event in events]
        naming = [event for event in events if self._is_named_by(event)]
        self.counts.events += len(naming)
        return line, [self._without_name(event) for event in events] if naming else events

    def rewrite_valid_record(self, record: bytes) -> bytes:
        """See RewriteRules.rewrite_valid_record."""
        masked = self._mask.valid_record(record)
        if masked is None:
            return record
        self.counts.valid_rows += 1
        return masked

    def rewrite_text(self, text: str) -> str:
        """See RewriteRules.rewrite_text."""
        return self._subject.masked(text)

    def finish(self) -> RewriteResult:
        """See RewriteRules.finish."""
        kept, dropped, new = self._rewrite_archives()
        actors = any(self._subject.is_in(each.actor) for each in self._rows.state.exports)
        return RewriteResult(
            changed=bool(self.counts) or actors,
            new_archive=new,
            archives=tuple(kept),
            dropped_archives=tuple(dropped),
            facts={"subject": self._hashed},
        )

    def _is_in_data(self, event: RowEvent) -> bool:
        """Whether the cells or violations of an event name the person."""
        cells = event.change.cells or {}
        values = (each.value or "" for each in event.change.violations)
        return any(self._subject.is_in(text) for text in (*cells.values(), *values))

    def _is_named_by(self, event: RowEvent) -> bool:
        """Whether an event names the person as its actor or in its reason."""
        return self._subject.is_in(event.actor) or self._subject.is_in(event.reason)

    def _is_in_line(self, line: bytes) -> bool:
        if not self._subject.may_be_in(line):
            return False
        found = read_json_line(line, "a line of a batch")
        return any(self._subject.is_in(text) for text in _texts_of(found))

    def _masked_event(self, event: RowEvent) -> RowEvent:
        change = event.change
        violations = tuple(
            RowViolation(
                each.field,
                each.keyword,
                each.message,
                self._mask.value(each.field, each.value),
            )
            for each in change.violations
        )
        cells = change.cells and self._mask.cells(change.cells)
        masked = replace(change, cells=cells, violations=violations)
        return self._without_name(replace(event, change=masked))

    def _without_name(self, event: RowEvent) -> RowEvent:
        return replace(
            event,
            reason=self._subject.masked(event.reason),
            actor=self._subject.masked(event.actor),
        )

    def _rewrite_archives(self) -> tuple[list[str], list[str], Path | None]:
        """The archives that stay, those that are dropped, and a new file with the masked rows of the dropped ones."""
        store, folder = self._rows.store, self._rows.batch.folder
        kept: list[str] = []
        dropped: list[str] = []
        for name in self._rows.state.archives:
            lines = archive_lines(store, f"{folder}/{name}")
            hit = any(self._subject.may_be_in(line) for line in lines)
            (dropped if hit else kept).append(name)
        if not dropped:
            return kept, [], None
        with ArchiveWriter(self._folder) as archive:
            for name in dropped:
                for line in archive_lines(store, f"{folder}/{name}"):
                    archive.write(self._masked_archive_line(line))
        return kept, dropped, archive.path

    def _masked_archive_line(self, line: bytes) -> bytes:
        if not self._is_in_line(line):
            return line
        self.counts.archived_rows += 1
        return self._mask.archived(line)


def _from_base64(value: object) -> str:
    try:
        return base64.b64decode(str(value), validate=True).decode(errors="replace")
    except ValueError:
        raise Corrupt("a quarantined record cannot be read: rawRowBase64 is no base64") from None


def _texts_of(found: Any) -> Iterator[str]:
    """All texts of a JSON value, also those in base64."""
    if isinstance(found, str):
        yield found
    elif isinstance(found, list):
        for each in found:
            yield from _texts_of(each)
    elif isinstance(found, dict):
        for key, value in found.items():
            if key == "rawRowBase64":
                yield _from_base64(value)
            else:
                yield from _texts_of(value)
