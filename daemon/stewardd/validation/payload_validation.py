"""The validation of one JSON payload. Nothing is written.

A small payload is judged where it arrives, on the event loop: that takes a few microseconds, and to hand it to a thread
would take longer than to judge it. A large one is judged on the engine's threads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

import fastcsv
from stewardd.config.validation import ValidationSettings
from stewardd.errors import InvalidRequest
from stewardd.schemas.registry import Registry
from stewardd.validation.engine_threads import EngineThreads

INLINE_BYTES = 16 * 1024
"""Up to this size a payload is judged on the event loop: in 50 microseconds at most."""


class PayloadRequest(NamedTuple):
    """A payload, and how it is judged: by the schema that it fits where none is named, by its newest version else.

    `normalise`: a valid payload becomes an event, with `event_id` and `event_source` in an envelope of CloudEvents.
    """

    payload: bytes
    schema: str | None = None
    schema_version: str | None = None
    strict: bool = False
    normalise: bool = False
    event_id: str | None = None
    event_source: str | None = None


class PayloadVerdict(NamedTuple):
    """What was found, and the schema by which it was judged."""

    schema: fastcsv.PayloadSchema
    report: fastcsv.PayloadReport


class PayloadValidation:
    """Judges payloads. `on_verdict` is called with each verdict."""

    def __init__(
        self,
        registry: Registry,
        threads: EngineThreads,
        limits: ValidationSettings,
        on_verdict: Callable[[PayloadVerdict], None] = lambda _: None,
    ) -> None:
        self._registry = registry
        self._threads = threads
        self._bounds = limits.payload_bounds()
        self._detection_bounds = limits.detection_bounds()
        self._on_verdict = on_verdict

    async def validate(self, request: PayloadRequest) -> PayloadVerdict:
        """Judges a payload. One that is not valid is a verdict and no error.

        Raises: UnknownSchema; PayloadRefused where no schema is named and none fits, or several; InvalidRequest where
        the payload is to be normalised and its schema does not say how.
        """
        if len(request.payload) <= INLINE_BYTES:
            verdict = self._verdict(request)
        else:
            verdict = await asyncio.get_running_loop().run_in_executor(
                self._threads, self._verdict, request
            )
        self._on_verdict(verdict)
        return verdict

    def detect(self, payload: bytes) -> fastcsv.PayloadSchema:
        """Returns the schema that a payload fits by its structure. Raises: PayloadRefused."""
        candidates = self._registry.payload_candidates(None, None)
        return self._registry.detect_payload(candidates, payload, self._detection_bounds)

    def _verdict(self, request: PayloadRequest) -> PayloadVerdict:
        candidates = self._registry.payload_candidates(
            request.schema, request.schema_version, field="schema"
        )
        schema = candidates[-1]
        if request.schema is None:
            schema = self._registry.detect_payload(
                candidates, request.payload, self._detection_bounds
            )
        if not request.normalise:
            report = fastcsv.validate_payload(
                schema, request.payload, strict=request.strict, **self._bounds
            )
            return PayloadVerdict(schema, report)
        if schema.event is None:
            raise InvalidRequest(
                f"payloads of {schema.name} are not normalised: their schema says not how",
                hint="leave `normalise` out, or give the schema x-steward-normalise",
                field="normalise",
            )
        report = fastcsv.normalise_payload(
            schema,
            request.payload,
            event_id=request.event_id,
            event_source=request.event_source,
            strict=request.strict,
            **self._bounds,
        )
        return PayloadVerdict(schema, report)
