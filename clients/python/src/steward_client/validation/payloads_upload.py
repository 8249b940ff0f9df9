"""The upload of a JSON Lines file to ValidatePayloads; the answers are Accepted, Progress*, Summary.

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
from steward_client.validation.batch_upload import OnProgress, source_file_of
from steward_client.validation.batches import Accepted, Batch, Progress
from steward_client.validation.calls import SERVICE


class PayloadsOptions(TypedDict, total=False):
    """How a file of payloads is validated; every key may be left out."""

    schema: str | None
    """The type, such as `ecornell_webhook`."""
    schema_version: str | None
    """Left out: the newest."""
    source_file: str | None
    """The name of the file in the batch. Left out: the last part of its path."""
    strict: bool
    """A member that the schema does not name makes its payload invalid."""
    keep_valid_payloads: bool
    """The batch keeps its valid payloads as `valid.jsonl`."""
    request_id: str | None
    """Identifies the request, so that sending it again makes no second batch. Left out: a new UUID."""
    progress: OnProgress | None
    """Called with Accepted once and with each Progress. What it raises cancels the call."""
    on_commit: Callable[[], None] | None
    """Called, in some thread, just before Commit is sent: then there may be a batch, even if no answer comes."""


class PayloadsUpload(Upload[Batch]):
    """An upload to ValidatePayloads. Either `source` or `uri` is None."""

    path = f"{SERVICE}/ValidatePayloads"
    request = pb.ValidatePayloadsRequest
    answer = pb.ValidatePayloadsResponse

    def __init__(self, source: Source | None, uri: str | None, options: PayloadsOptions) -> None:
        self._progress = options.get("progress")
        opened = pb.ValidatePayloadsRequest.Open(
            schema=protobuf_values.resource("schemas", options.get("schema") or ""),
            schema_version=options.get("schema_version") or "",
            request_id=options.get("request_id") or new_request_id(),
            source_file=source_file_of(options.get("source_file"), source, uri),
            strict=options.get("strict", False),
            keep_valid_payloads=options.get("keep_valid_payloads", False),
        )
        if uri is None:
            opened.upload.SetInParent()
        else:
            opened.uri = uri
        super().__init__(source, opened, options.get("on_commit"))

    def received(self, answer: pb.ValidatePayloadsResponse) -> Batch | None:
        """Takes an answer; returns the batch when it is the last one."""
        match answer.WhichOneof("message"):
            case "accepted":
                self._report(Accepted(answer.accepted.batch, answer.accepted.schema, ()))
            case "progress":
                self._report(Progress.from_proto(answer.progress))
            case "summary":
                return Batch.from_proto(answer.summary.batch)
        return None

    def _report(self, event: Accepted | Progress) -> None:
        if self._progress is not None:
            self._progress(event)
