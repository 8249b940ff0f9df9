"""The engine of a JSON Lines file: one payload a line, all of one schema.

Where the caller names no schema, the first payload tells it. Until its line is whole the bytes are held, which are few;
then all of them go to the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import google_crc32c

import fastcsv
from stewardd.validation.first_payload import first_payload

Piece = bytes | memoryview


@dataclass(frozen=True, slots=True)
class HeldProgress:
    """The progress of a file whose schema is not known yet: no payload of it is judged."""

    size_bytes: int = 0
    crc32c: int = 0
    total_rows: int = 0
    valid_rows: int = 0
    quarantined_rows: int = 0


@dataclass(frozen=True, slots=True)
class NoDifference:
    """JSON Lines have no header. The manifest has the members that the schema does not name, once all are judged."""

    unknown_columns: tuple[str, ...] = ()
    missing_optional_columns: tuple[str, ...] = ()
    similar_columns: Mapping[str, str] = field(default_factory=dict)


class PayloadLines:
    """A BatchEngine. `detect` says which of the schemas a payload fits, and `make` makes the validator for it."""

    def __init__(
        self,
        schemas: Sequence[fastcsv.PayloadSchema],
        make: Callable[[fastcsv.PayloadSchema], fastcsv.PayloadValidator],
        detect: Callable[[bytes], fastcsv.PayloadSchema],
        max_payload_bytes: int,
    ) -> None:
        self._make = make
        self._detect = detect
        self._max_payload_bytes = max_payload_bytes
        self._validator: fastcsv.PayloadValidator | None = None
        self._held = bytearray()
        self._looks_at = 0
        self._held_progress = HeldProgress()
        self.schema: fastcsv.PayloadSchema | None = None
        self.difference = NoDifference()
        if len(schemas) == 1:
            self._begin(schemas[0])

    @property
    def progress(self) -> fastcsv.Progress | HeldProgress:
        """See BatchEngine.progress."""
        return self._held_progress if self._validator is None else self._validator.progress

    def feed(self, *pieces: Piece, threads: int | None = None) -> None:
        """See BatchEngine.feed. Raises: InputRefused, PayloadRefused where the first payload tells no schema."""
        if self._validator is None:
            self._hold(pieces)
            payload = None
            # What is held is looked at again when it has grown by an eighth: a file may come byte by byte.
            if len(self._held) >= self._looks_at:
                self._looks_at = len(self._held) + len(self._held) // 8
                payload = first_payload(bytes(self._held), self._max_payload_bytes, is_whole=False)
            if payload is not None:
                self._begin(self._detect(payload), threads)
            return
        self._validator.feed(*pieces, threads=threads)

    def finish(self) -> fastcsv.Report:
        """See BatchEngine.finish. Raises: as `feed`."""
        if self._validator is None:
            payload = first_payload(bytes(self._held), self._max_payload_bytes, is_whole=True)
            assert payload is not None, "a whole file has a first payload, or none and is refused"
            self._begin(self._detect(payload))
        assert self._validator is not None
        return self._validator.finish()

    def abort(self) -> None:
        """See BatchEngine.abort."""
        self._held.clear()
        if self._validator is not None:
            self._validator.abort()

    def _hold(self, pieces: Sequence[Piece]) -> None:
        crc32c = self._held_progress.crc32c
        for piece in pieces:
            crc32c = google_crc32c.extend(crc32c, bytes(piece))
            self._held += piece
        self._held_progress = HeldProgress(len(self._held), crc32c)

    def _begin(self, schema: fastcsv.PayloadSchema, threads: int | None = None) -> None:
        """Makes the validator, and gives it what is held."""
        validator = self._make(schema)
        self._validator = validator
        if self._held:
            held = bytes(self._held)
            self._held.clear()
            validator.feed(held, threads=threads)
        self.schema = schema
