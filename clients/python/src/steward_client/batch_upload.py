"""A file on its way to ValidateBatch; Accepted, Progress*, Summary come back.

It goes under a request_id, so that at most one batch comes of it however often it is sent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypedDict

from steward.v1 import validation_pb2 as pb

from steward_client import wire
from steward_client.batches import Accepted, Batch, Progress
from steward_client.calls import VALIDATION, new_request_id
from steward_client.source import Source
from steward_client.upload import Upload

OnProgress = Callable[[Accepted | Progress], None]


class Judging(TypedDict, total=False):
    """How a file is judged; every key may be left out."""

    schema: str | None
    """The type, such as `language_session`. Left out: detected from the header."""
    schema_version: str | None
    """Left out: detected from the header."""
    source_file: str | None
    """The name that people know the file by. Left out: the last part of its path."""
    delimiter: str | None
    """One of `,` `;` tab `|`. Left out: found from the header."""
    strict: bool
    """An unknown column refuses the file."""
    accept_recovered: bool
    """Valid rows that a broken quote had swallowed count as good."""
    keep_valid_rows: bool
    """The batch keeps its valid rows as `valid.csv`."""
    request_id: str | None
    """Identifies the request, so that sending it again makes no second batch. Left out: a new UUID."""
    progress: OnProgress | None
    """Called with Accepted once and with each Progress. What it raises cancels the call."""
    on_commit: Callable[[], None] | None
    """Called, in some thread, just before Commit goes out: a batch may come of it although no answer does."""


class BatchUpload(Upload[Batch]):
    """Of `source` and `uri` one is None."""

    path = f"{VALIDATION}/ValidateBatch"
    request = pb.ValidateBatchRequest
    answer = pb.ValidateBatchResponse

    def __init__(self, source: Source | None, uri: str | None, judging: Judging) -> None:
        self._progress = judging.get("progress")
        self.request_id = judging.get("request_id") or new_request_id()
        super().__init__(
            source,
            _open_message(source, uri, self.request_id, judging),
            judging.get("on_commit"),
        )

    def received(self, answer: pb.ValidateBatchResponse) -> Batch | None:
        """Takes an answer; returns the batch when it is the last one."""
        match answer.WhichOneof("message"):
            case "accepted":
                self._report(Accepted.from_proto(answer.accepted))
            case "progress":
                self._report(Progress.from_proto(answer.progress))
            case "summary":
                return Batch.from_proto(answer.summary.batch)
        return None

    def _report(self, event: Accepted | Progress) -> None:
        if self._progress is not None:
            self._progress(event)


def _open_message(
    source: Source | None, uri: str | None, request_id: str, judging: Judging
) -> pb.ValidateBatchRequest.Open:
    name = judging.get("source_file")
    if name is None:
        name = source.name if source is not None else (uri or "").rsplit("/", 1)[-1]
    message = pb.ValidateBatchRequest.Open(
        schema=wire.resource("schemas", judging.get("schema") or ""),
        schema_version=judging.get("schema_version") or "",
        request_id=request_id,
        source_file=name.encode("utf-8", "replace").decode("utf-8"),
        options=pb.ValidateOptions(
            delimiter=judging.get("delimiter") or "",
            strict=judging.get("strict", False),
            accept_recovered=judging.get("accept_recovered", False),
            keep_valid_rows=judging.get("keep_valid_rows", False),
        ),
    )
    if uri is None:
        message.upload.SetInParent()
    else:
        message.uri = uri
    return message
