"""The stream of an upload, of rows or of payloads: its messages go to the validation, and its answers come of it.

The answers are Accepted once, Progress at most twice a second, and Summary. Each method has messages of its own for
them (`AnswerForm`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from steward.v1 import validation_pb2

from stewardd.rpc import names
from stewardd.rpc.uploads import UploadMessages
from stewardd.rpc.validation.messages import batch_message
from stewardd.schemas.kinds import CompiledSchema
from stewardd.validation.batch_validation import BatchValidation
from stewardd.validation.replay import BatchReplay

Validation = BatchValidation | BatchReplay
Answer = TypeVar("Answer")
BatchResponse = validation_pb2.ValidateBatchResponse
PayloadsResponse = validation_pb2.ValidatePayloadsResponse

PROGRESS_INTERVAL_S = 0.5


@dataclass(frozen=True, slots=True)
class AnswerForm(Generic[Answer]):
    """The messages of a method's answer."""

    accepted: Callable[[Validation, CompiledSchema], Answer]
    progress: Callable[[BatchResponse.Progress], Answer]
    summary: Callable[[BatchResponse.Summary], Answer]


async def answers(
    messages: UploadMessages, validation: Validation, form: AnswerForm[Answer]
) -> AsyncGenerator[Answer, None]:
    """Serves an upload that was opened, from its first Chunk to its batch. Closes the validation in any case."""
    receiving = asyncio.create_task(_receive(messages, validation))
    try:
        interim = _InterimAnswers(validation, form)
        while not receiving.done():
            await interim.wait(receiving)
            for answer in interim.due():
                yield answer
        commit = await receiving
        manifest = await validation.commit(commit.size_bytes, commit.crc32c)
        for answer in interim.accepted():
            yield answer
        yield form.summary(BatchResponse.Summary(batch=batch_message(manifest)))
    finally:
        # Also when the client is gone: nothing of an unpublished batch may stay.
        await asyncio.shield(_end(receiving, validation))


async def _receive(
    messages: UploadMessages, validation: Validation
) -> validation_pb2.ValidateBatchRequest.Commit:
    """Receives all that the client sends, or reads the file that it names. Returns its Commit."""
    while (data := await messages.chunk(upload=validation.is_upload)) is not None:
        await validation.add_chunk(data)
    async for _ in validation.read_input_file():
        pass
    commit: validation_pb2.ValidateBatchRequest.Commit = messages.commit
    return commit


async def _end(
    receiving: asyncio.Task[validation_pb2.ValidateBatchRequest.Commit], validation: Validation
) -> None:
    receiving.cancel()
    await asyncio.wait([receiving])
    if not receiving.cancelled():
        receiving.exception()  # read, so that asyncio does not log it
    await validation.close()


class _InterimAnswers(Generic[Answer]):
    """The answers before the summary: Accepted once, Progress at most twice a second."""

    def __init__(self, validation: Validation, form: AnswerForm[Answer]) -> None:
        self._validation = validation
        self._form = form
        self._accepted = False
        self._progress_s = time.monotonic()
        self._last: BatchResponse.Progress | None = None

    async def wait(
        self, receiving: asyncio.Task[validation_pb2.ValidateBatchRequest.Commit]
    ) -> None:
        """Waits until an answer may be due, or until nothing more is received. Raises: HeaderRefused."""
        if self._accepted:
            due_s = self._progress_s + PROGRESS_INTERVAL_S - time.monotonic()
            await asyncio.wait([receiving], timeout=max(0.0, due_s))
            return
        header = self._validation.header
        both: set[asyncio.Future[Any]] = {receiving, header}
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if header.done():
            header.result()  # a client may wait for Accepted before it sends more: refuse the header at once

    def due(self) -> list[Answer]:
        """Returns the answers that are due now."""
        found = self.accepted()
        if self._accepted and time.monotonic() - self._progress_s >= PROGRESS_INTERVAL_S:
            self._progress_s = time.monotonic()
            progress = _progress_message(self._validation)
            if progress != self._last:
                self._last = progress
                found.append(self._form.progress(progress))
        return found

    def accepted(self) -> list[Answer]:
        """Returns Accepted, if the schema is known and it was not returned before."""
        schema = self._validation.schema
        if self._accepted or schema is None:
            return []
        self._accepted = True
        return [self._form.accepted(self._validation, schema)]


def _progress_message(validation: Validation) -> BatchResponse.Progress:
    progress = validation.progress
    return BatchResponse.Progress(
        size_bytes=progress.size_bytes,
        total_rows=progress.total_rows,
        valid_rows=progress.valid_rows,
        quarantined_rows=progress.quarantined_rows,
    )


def _batch_accepted(validation: Validation, schema: CompiledSchema) -> BatchResponse:
    difference = validation.difference
    return BatchResponse(
        accepted=BatchResponse.Accepted(
            batch=names.batch(validation.batch_id),
            schema=names.schema(schema.name, schema.version),
            unknown_columns=difference.unknown_columns,
            missing_optional_columns=difference.missing_optional_columns,
            similar_columns=difference.similar_columns,
        )
    )


def _payloads_accepted(validation: Validation, schema: CompiledSchema) -> PayloadsResponse:
    return PayloadsResponse(
        accepted=PayloadsResponse.Accepted(
            batch=names.batch(validation.batch_id),
            schema=names.schema(schema.name, schema.version),
        )
    )


OF_ROWS = AnswerForm(
    _batch_accepted,
    lambda progress: BatchResponse(progress=progress),
    lambda summary: BatchResponse(summary=summary),
)
OF_PAYLOADS = AnswerForm(
    _payloads_accepted,
    lambda progress: PayloadsResponse(progress=progress),
    lambda summary: PayloadsResponse(summary=summary),
)
