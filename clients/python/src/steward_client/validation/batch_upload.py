"""The upload of a file to ValidateBatch; the answers are Accepted, Progress*, Summary.

It carries a request_id, so that the daemon makes at most one batch of it, however often it is sent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypedDict

from steward.v1 import validation_pb2 as pb

from steward_client import protobuf_values
from steward_client.connection.call import new_request_id
from steward_client.transfer.source import Source
from steward_client.transfer.upload import Upload
from steward_client.validation.batches import Accepted, Batch, Progress
from steward_client.validation.calls import SERVICE

OnProgress = Callable[[Accepted | Progress], None]


class ValidationOptions(TypedDict, total=False):
    """How a file is validated; every key may be left out."""

    schema: str | None
    """The type, such as `language_session`. Left out: detected from the header."""
    schema_version: str | None
    """Left out: detected from the header."""
    source_file: str | None
    """The name of the file in the batch. Left out: the last part of its path."""
    delimiter: str | None
    """One of `,` `;` tab `|`. Left out: found from the header."""
    strict: bool
    """An unknown column refuses the file."""
    accept_recovered: bool
    """Rows that were recovered from a broken quote count as valid, if they pass."""
    keep_valid_rows: bool
    """The batch keeps its valid rows as `valid.csv`."""
    request_id: str | None
    """Identifies the request, so that sending it again makes no second batch. Left out: a new UUID."""
    progress: OnProgress | None
    """Called with Accepted once and with each Progress. What it raises cancels the call."""
    on_commit: Callable[[], None] | None
    """Called, in some thread, just before Commit is sent: then there may be a batch, even if no answer comes."""


class BatchUpload(Upload[Batch]):
    """An upload to ValidateBatch. Either `source` or `uri` is None."""

    path = f"{SERVICE}/ValidateBatch"
    request = pb.ValidateBatchRequest
    answer = pb.ValidateBatchResponse

    def __init__(self, source: Source | None, uri: str | None, options: ValidationOptions) -> None:
        self._progress = options.get("progress")
        self.request_id = options.get("request_id") or new_request_id()
        super().__init__(
            source,
            _open_message(source, uri, self.request_id, options),
            options.get("on_commit"),
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


def source_file_of(given: str | None, source: Source | None, uri: str | None) -> str:
    """Returns the name that a file gets in its batch: the one that is given, else the last part of its path."""
    name = given
    if name is None:
        name = source.name if source is not None else (uri or "").rsplit("/", 1)[-1]
    return name.encode("utf-8", "replace").decode("utf-8")


def _open_message(
    source: Source | None, uri: str | None, request_id: str, options: ValidationOptions
) -> pb.ValidateBatchRequest.Open:
    message = pb.ValidateBatchRequest.Open(
        schema=protobuf_values.resource("schemas", options.get("schema") or ""),
        schema_version=options.get("schema_version") or "",
        request_id=request_id,
        source_file=source_file_of(options.get("source_file"), source, uri),
        options=pb.ValidateOptions(
            delimiter=options.get("delimiter") or "",
            strict=options.get("strict", False),
            accept_recovered=options.get("accept_recovered", False),
            keep_valid_rows=options.get("keep_valid_rows", False),
        ),
    )
    if uri is None:
        message.upload.SetInParent()
    else:
        message.uri = uri
    return message
