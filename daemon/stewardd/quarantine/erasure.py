"""Erasing a person: whatever the quarantine holds of an e-mail address is masked, everywhere, and the act is recorded.

Every batch is looked through: records, errors, valid rows, corrections, histories, archives. One that names the
person is rewritten, so that the counts stay and the address is gone with the old objects. What is recorded of the act
(the operation, and a commit in each batch) has a keyed hash in the address's place. A batch that cannot be done keeps
the erasure from no other: it goes on, and ends with an error that names those that are left.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterator
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import zstandard

from stewardd.batches.manifest import BatchManifest
from stewardd.errors import (
    BatchesLeft,
    BatchNotFound,
    Cancelled,
    LeaseLost,
    ObjectExists,
    ObjectNotFound,
    SchemaNotFound,
    StewardError,
)
from stewardd.quarantine.blocking import BlockingStore
from stewardd.quarantine.commit import Action, Change, Event
from stewardd.quarantine.csv_records import cells_of, csv_line
from stewardd.quarantine.good_rows import VALID
from stewardd.quarantine.purge import Report
from stewardd.quarantine.record import RowViolation
from stewardd.quarantine.rewriting import ARCHIVE, Ended, Rewriting
from stewardd.quarantine.rows import RECORDS, Rows
from stewardd.quarantine.scope import Scope
from stewardd.quarantine.subject import Subject
from stewardd.repository.store import Store
from stewardd.schemas.registry import Registry
from stewardd.telemetry import logger

KEY = "quarantine/erasure.key"
_KEY_BYTES = 32
_NAMED = 10  # an error has room for these

_log = logger("quarantine")


@dataclass(frozen=True, slots=True)
class EraseRequest:
    """Whom to erase."""

    subject: Subject
    dry_run: bool
    actor: str


@dataclass(slots=True)
class EraseOutcome:
    """What was masked, or would be."""

    scanned_batches: int = 0
    batches: int = 0
    quarantined_rows: int = 0
    valid_rows: int = 0
    events: int = 0
    archived_rows: int = 0


class Erasure:
    """Erases people."""

    def __init__(
        self, scope: Scope, rewriting: Rewriting, store: Store, registry: Registry
    ) -> None:
        self._scope = scope
        self._rewriting = rewriting
        self._store = store
        self._registry = registry

    async def hashed(self, subject: Subject) -> str:
        """What stands for a person in records. RepositoryDown."""
        try:
            key = await self._store.get(KEY)
        except ObjectNotFound:
            with suppress(ObjectExists):
                await self._store.put(KEY, secrets.token_bytes(_KEY_BYTES))
            key = await self._store.get(KEY)
        return subject.hashed(key)

    async def run(self, request: EraseRequest, hashed: str, report: Report) -> EraseOutcome:
        """Erases somebody from all batches that there are. `report` is told how far it is, and may raise Cancelled.

        BatchesLeft at the end, where some could not be done; LeaseLost at once, for no other could be done either.
        """
        outcome = EraseOutcome()
        left: dict[str, str] = {}
        async with aclosing(self._scope.identifiers()) as batch_ids:
            async for batch_id in batch_ids:
                try:
                    _add(outcome, await self._erase(request, hashed, batch_id))
                except BatchNotFound:
                    continue  # not published
                except (Cancelled, LeaseLost):
                    raise
                except StewardError as error:
                    left[batch_id] = error.reason
                    _log.error("batch left by an erasure", batch=batch_id, error=error.message)
                except Exception:  # noqa: BLE001  # an edge: what nobody foresaw in one batch keeps it from no other
                    left[batch_id] = StewardError.reason
                    _log.exception("batch left by an erasure", batch=batch_id)
                outcome.scanned_batches += 1
                await report(outcome.scanned_batches, outcome.quarantined_rows + outcome.valid_rows)
        if left:
            raise _left(left, outcome.scanned_batches)
        return outcome

    async def _erase(self, request: EraseRequest, hashed: str, batch_id: str) -> Found:
        batch = await self._scope.get(batch_id)
        eraser = Eraser(request.subject, self._personal(batch), batch.delimiter, hashed)
        await self._rewriting.rewrite(
            batch_id, Action.ERASE, request.actor, eraser, dry_run=request.dry_run
        )
        return eraser.found

    def _personal(self, batch: BatchManifest) -> frozenset[str]:
        """The columns with personal data, of any version: a corrected row may have been judged by a newer one."""
        try:
            self._registry.get(batch.schema)
        except SchemaNotFound:
            return frozenset()
        return frozenset(
            column.name
            for schema in self._registry.all()
            if schema.name == batch.schema
            for column in schema.columns
            if column.pii
        )


@dataclass(slots=True)
class Found:
    """What one batch held."""

    quarantined_rows: int = 0
    valid_rows: int = 0
    events: int = 0
    archived_rows: int = 0

    def __bool__(self) -> bool:
        return self != Found()


def _add(outcome: EraseOutcome, found: Found) -> None:
    outcome.batches += bool(found)
    outcome.quarantined_rows += found.quarantined_rows
    outcome.valid_rows += found.valid_rows
    outcome.events += found.events
    outcome.archived_rows += found.archived_rows


def _left(left: dict[str, str], scanned: int) -> BatchesLeft:
    named = [f"{batch_id} ({reason})" for batch_id, reason in left.items()]
    more = [f"{len(named) - _NAMED} more, which the daemon's log names"] if named[_NAMED:] else []
    return BatchesLeft(
        f"{len(left)} of {scanned} batches could not be looked through or rewritten, and may still name the person: "
        + ", ".join(named[:_NAMED] + more)
    )


class Eraser:
    """Masks a person in one batch; see Rewriter."""

    def __init__(
        self, subject: Subject, personal: frozenset[str], delimiter: str, hashed: str
    ) -> None:
        self._subject = subject
        self._personal = personal
        self._delimiter = delimiter
        self._hashed = hashed
        self.found = Found()

    def concerns(self, rows: Rows) -> bool:
        """See Rewriter.concerns. It may be wrong only by saying yes."""
        self.found = Found()  # not what an attempt counted that others overtook
        subject, batch = self._subject, rows.batch
        keys = [batch.key(file) for name in (RECORDS, VALID) if (file := batch.file(name))]
        return (
            any(subject.may_be_among(rows.store.read(key)) for key in keys)
            or any(
                self._names(event) or self._mentions(event)
                for _, events in rows.events.of_rows()
                for event in events
            )
            or any(subject.is_in(each.actor) for each in rows.state.exports)
            or any(
                subject.may_be_in(line)
                for name in rows.state.archives
                for line in _archive_lines(rows.store, f"{batch.folder}/{name}")
            )
        )

    def begin(self, rows: Rows, folder: Path) -> None:
        """See Rewriter.begin."""
        self.found = Found()
        self._rows = rows
        self._folder = folder
        self._header: list[str] | None = None

    def row(
        self,
        number: int,  # noqa: ARG002  # the Rewriter's
        line: bytes,
        events: list[Event],
    ) -> tuple[bytes | None, list[Event]]:
        """See Rewriter.row."""
        if self._is_in(line) or any(self._names(event) for event in events):
            # The person's row, wherever it says so: what came and what was made of it are masked alike.
            self.found.quarantined_rows += 1
            self.found.events += len(events)
            return self._record(line), [self._event(event) for event in events]
        mentions = [event for event in events if self._mentions(event)]
        self.found.events += len(mentions)
        return line, [self._unmentioned(event) for event in events] if mentions else events

    def valid(self, record: bytes) -> bytes:
        """See Rewriter.valid."""
        if self._header is None:
            self._header = cells_of(record, self._delimiter)
            return record
        if not self._subject.may_be_in(record):
            return record
        cells = cells_of(record, self._delimiter)
        if not any(self._subject.is_in(cell) for cell in cells):
            return record
        self.found.valid_rows += 1
        masked = self._subject.masked_cells(
            dict(zip(self._header, cells, strict=False)), self._personal
        )
        end = "\r\n" if record.endswith(b"\r\n") else "\n"
        return csv_line(list(masked.values()), self._delimiter, end)

    def text(self, text: str) -> str:
        """See Rewriter.text."""
        return self._subject.masked(text)

    def end(self) -> Ended:
        """See Rewriter.end."""
        kept, dropped, new = self._archives()
        actors = any(self._subject.is_in(each.actor) for each in self._rows.state.exports)
        return Ended(
            changed=bool(self.found) or actors,
            new_archive=new,
            archives=tuple(kept),
            dropped_archives=tuple(dropped),
            facts={"subject": self._hashed},
        )

    def _names(self, event: Event) -> bool:
        """Whether an event holds the person's data."""
        cells = event.change.cells or {}
        values = (each.value or "" for each in event.change.violations)
        return any(self._subject.is_in(text) for text in (*cells.values(), *values))

    def _mentions(self, event: Event) -> bool:
        """Whether an event names the person beside its data: as who did it, or in its reason."""
        return self._subject.is_in(event.actor) or self._subject.is_in(event.reason)

    def _is_in(self, line: bytes) -> bool:
        if not self._subject.may_be_in(line):
            return False
        return any(self._subject.is_in(text) for text in _texts_of(json.loads(line)))

    def _record(self, line: bytes) -> bytes:
        found: dict[str, Any] = json.loads(line)
        raw_data = found["rawData"]
        cells = {name: value for name, value in raw_data.items() if isinstance(value, str)}
        masked = self._subject.masked_cells(cells, self._personal)
        extra = [
            self._subject.masked(each)
            for value in raw_data.values()
            if isinstance(value, list)
            for each in value
        ]
        found["rawData"] = {name: masked.get(name, extra) for name in raw_data}
        for error in found["errors"]:
            error["value"] = self._subject.masked_value(
                error["value"], personal=error["field"] in self._personal
            )
        # The bytes as they came held it all: those of the masked cells stand in their place.
        raw = csv_line([*masked.values(), *extra], self._delimiter, "").decode()
        found.pop("rawRowBase64", None)
        found["rawRow"] = raw
        found = self._subject.masked_json(found)
        return json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"

    def _event(self, event: Event) -> Event:
        change = event.change
        violations = tuple(
            RowViolation(
                each.field,
                each.keyword,
                each.message,
                self._subject.masked_value(each.value, personal=each.field in self._personal),
            )
            for each in change.violations
        )
        cells = change.cells and self._subject.masked_cells(change.cells, self._personal)
        masked: Change = replace(change, cells=cells, violations=violations)
        return self._unmentioned(replace(event, change=masked))

    def _unmentioned(self, event: Event) -> Event:
        return replace(
            event,
            reason=self._subject.masked(event.reason),
            actor=self._subject.masked(event.actor),
        )

    def _archives(self) -> tuple[list[str], list[str], Path | None]:
        """The archives that stay, those that go, and the file that has the rows of those, masked."""
        kept: list[str] = []
        dropped: list[str] = []
        for name in self._rows.state.archives:
            key = f"{self._rows.batch.folder}/{name}"
            hit = any(
                self._subject.may_be_in(line) for line in _archive_lines(self._rows.store, key)
            )
            (dropped if hit else kept).append(name)
        if not dropped:
            return kept, [], None
        path = self._folder / ARCHIVE
        with path.open("wb") as file, zstandard.ZstdCompressor().stream_writer(file) as stream:
            for name in dropped:
                key = f"{self._rows.batch.folder}/{name}"
                for line in _archive_lines(self._rows.store, key):
                    stream.write(self._archived(line))
        return kept, dropped, path

    def _archived(self, line: bytes) -> bytes:
        if not self._is_in(line):
            return line
        self.found.archived_rows += 1
        found = json.loads(line)
        record = json.dumps(found["record"], ensure_ascii=False, separators=(",", ":")).encode()
        found["record"] = json.loads(self._record(record))
        for event in found["history"]:
            if event["cells"]:
                event["cells"] = self._subject.masked_cells(event["cells"], self._personal)
            for error in event["errors"]:
                error["value"] = self._subject.masked_value(
                    error["value"], personal=error["field"] in self._personal
                )
        found = self._subject.masked_json(found)
        return json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _texts_of(found: Any) -> Iterator[str]:
    """All texts of a JSON value, and what stands in it in base64."""
    if isinstance(found, str):
        yield found
    elif isinstance(found, list):
        for each in found:
            yield from _texts_of(each)
    elif isinstance(found, dict):
        for key, value in found.items():
            if key == "rawRowBase64":
                yield base64.b64decode(value).decode(errors="replace")
            else:
                yield from _texts_of(value)


def _archive_lines(store: BlockingStore, key: str) -> Iterator[bytes]:
    """The lines of an archive."""
    stream = zstandard.ZstdDecompressor().decompressobj()
    held = b""
    for data in store.read(key):
        held += stream.decompress(data)
        *lines, held = held.split(b"\n")
        for line in lines:
            yield line + b"\n"
