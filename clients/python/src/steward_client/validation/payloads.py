"""Verdicts on JSON payloads.

Values are left out of `repr`: payloads hold personal data, and a repr ends up in logs.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from steward.v1 import validation_pb2 as pb

Payload = bytes | bytearray | memoryview | str
"""The JSON text of a payload: as bytes in UTF-8, or as a string."""


@dataclass(frozen=True, slots=True)
class PayloadViolation:
    """One rule that a payload breaks; `message` never holds the value."""

    pointer: str
    """The JSON Pointer (RFC 6901) of the value; empty for the payload as a whole."""
    keyword: str
    message: str
    value: str | None = dataclasses.field(repr=False)
    """The value's JSON text, where there is one; cut after 4,096 bytes."""


@dataclass(frozen=True, slots=True)
class PayloadVerdict:
    """What the daemon found in a payload."""

    valid: bool
    schema: str
    """`schemas/{schema}/versions/{version}` that judged it."""
    violations: tuple[PayloadViolation, ...]
    """What is wrong with it; of more than the daemon reports, `total_violations` counts all."""
    total_violations: int
    unknown_members: tuple[str, ...]
    """JSON Pointers of members that the schema does not name; kept, not judged."""
    row: str = ""
    """`batches/{batch}/rows/{row_number}` of a payload that was quarantined."""
    event: bytes = dataclasses.field(default=b"", repr=False)
    """The normalised event, as JSON; empty where it was not asked for, or the payload is not valid."""

    @classmethod
    def from_proto(cls, message: pb.ValidatePayloadResponse) -> PayloadVerdict:
        """Reads a steward.v1 ValidatePayloadResponse."""
        return cls(
            valid=message.valid,
            schema=message.schema,
            violations=tuple(
                PayloadViolation(
                    each.pointer,
                    each.keyword,
                    each.message,
                    each.value if each.HasField("value") else None,
                )
                for each in message.violations
            ),
            total_violations=message.total_violations,
            unknown_members=tuple(message.unknown_members),
            row=message.row,
            event=message.event,
        )


@dataclass(frozen=True, slots=True)
class CloudEvent:
    """What an envelope of CloudEvents 1.0 has from the delivery: the event's id at its source, and that source."""

    id: str
    source: str


def payload_bytes(payload: Payload) -> bytes:
    """Returns the bytes to send. Half of a surrogate pair goes as it is: the daemon says what is wrong with it."""
    return payload.encode(errors="surrogatepass") if isinstance(payload, str) else bytes(payload)
