"""The validation of one JSON payload. Nothing is written.

A small payload is judged where it arrives, on the event loop: that takes a few microseconds, and to hand it to a thread
would take longer than to judge it. A large one is judged on the engine's threads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import fastcsv
from stewardd.config.validation import ValidationSettings
from stewardd.errors import InvalidRequest
from stewardd.schemas.registry import Registry
from stewardd.validation.engine_threads import EngineThreads

INLINE_BYTES = 16 * 1024
"""Up to this size a payload is judged on the event loop: in 50 microseconds at most."""


@dataclass(frozen=True, slots=True)
class PayloadRequest:
    """A payload, and how it is judged: by the newest version of a schema where no `schema_version` is named."""

    payload: bytes
    schema: str | None = None
    schema_version: str | None = None
    strict: bool = False


@dataclass(frozen=True, slots=True)
class PayloadVerdict:
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
        self._on_verdict = on_verdict

    async def validate(self, request: PayloadRequest) -> PayloadVerdict:
        """Judges a payload. One that is not valid is a verdict and no error. Raises: UnknownSchema, InvalidRequest."""
        schema = self._schema(request)
        if len(request.payload) <= INLINE_BYTES:
            report = self._judge(schema, request)
        else:
            report = await asyncio.get_running_loop().run_in_executor(
                self._threads, self._judge, schema, request
            )
        verdict = PayloadVerdict(schema, report)
        self._on_verdict(verdict)
        return verdict

    def _schema(self, request: PayloadRequest) -> fastcsv.PayloadSchema:
        if request.schema is None:
            raise InvalidRequest("no schema is named", field="schema")
        return self._registry.payload_candidates(
            request.schema, request.schema_version, field="schema"
        )[-1]

    def _judge(
        self, schema: fastcsv.PayloadSchema, request: PayloadRequest
    ) -> fastcsv.PayloadReport:
        return fastcsv.validate_payload(
            schema, request.payload, strict=request.strict, **self._bounds
        )
