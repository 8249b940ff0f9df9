"""Payloads and their verdicts as messages of the contract."""

from __future__ import annotations

from steward.v1 import validation_pb2

from stewardd.errors import InvalidRequest
from stewardd.rpc import names
from stewardd.rpc.names import word_of
from stewardd.rpc.validation.opening import source_file_of
from stewardd.schemas.names import VERSION
from stewardd.validation.payload_gathering import PayloadOrigin
from stewardd.validation.payload_validation import PayloadRequest, PayloadVerdict


def payload_request_of(message: validation_pb2.ValidatePayloadRequest) -> PayloadRequest:
    """Reads a request. Raises: InvalidRequest."""
    schema = message.schema
    asked = PayloadRequest(
        message.payload,
        names.parse_schema_id(schema, field="schema") if schema else None,
        schema_version_of(message.schema_version),
        message.strict,
    )
    # To look at a message inside, which most requests lack, would make one.
    if not message.HasField("normalise"):
        return asked
    if not message.normalise.HasField("cloud_event"):
        return asked._replace(normalise=True)
    envelope = message.normalise.cloud_event
    if not (envelope.id and envelope.source):
        raise InvalidRequest(
            "an envelope of CloudEvents needs the id and the source of the delivery",
            field="normalise.cloud_event",
        )
    return asked._replace(
        normalise=True,
        event_id=word_of(envelope.id, field="normalise.cloud_event.id"),
        event_source=word_of(envelope.source, field="normalise.cloud_event.source"),
    )


def payload_origin_of(message: validation_pb2.ValidatePayloadRequest) -> PayloadOrigin:
    """Reads where a payload that is quarantined comes from. Raises: InvalidRequest."""
    return PayloadOrigin(
        source_file=source_file_of(message.source_file, field="source_file"),
        request_id=names.request_id_of(message.request_id),
    )


def schema_version_of(text: str) -> str | None:
    """Returns a version; None where none is given. Raises: InvalidRequest for a text that is none."""
    if text and not VERSION.fullmatch(text):
        raise InvalidRequest(
            "schema_version is no version such as 1.0",
            hint="give it as `steward schema list` shows it",
            field="schema_version",
        )
    return text or None


def verdict_message(verdict: PayloadVerdict) -> validation_pb2.ValidatePayloadResponse:
    """Returns a verdict as the contract has it."""
    schema, report = verdict.schema, verdict.report
    total_violations = report.total_violations
    # Most payloads are valid, without an event and members that are not known: what is left out is not made.
    message = validation_pb2.ValidatePayloadResponse(
        valid=not total_violations, schema=names.schema(schema.name, schema.version)
    )
    if total_violations:
        message.total_violations = total_violations
        for each in report.violations:
            message.violations.add(
                pointer=each.pointer, keyword=each.keyword, message=each.message, value=each.value
            )
    if unknown_members := report.unknown_members:
        message.unknown_members.extend(unknown_members)
    if report.event:
        message.event = report.event
    return message
