"""The state of a long-running operation (AIP-151), unpacked.

A kind of operation that this version of the SDK does not know still has its name, whether it is done, and its error;
only its progress and its response stay None. Each service that begins operations lists its kinds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from google.longrunning import operations_pb2
from google.protobuf import any_pb2
from google.protobuf.message import Message

from steward_client.connection import status
from steward_client.errors import Failed, StewardError

P = TypeVar("P")
R = TypeVar("R")

Readers = Mapping[type[Message], Callable[[Any], object]]
"""How a packed message is read, by its type."""


@dataclass(frozen=True, slots=True)
class OperationState(Generic[P, R]):
    """The state of an operation when the daemon answered: `P` is the type of its progress, `R` that of its result."""

    name: str
    """`operations/{operation}`."""
    done: bool
    progress: P | None
    error: StewardError | None
    """Why it failed, if it is done and did."""
    response: R | None
    """Its result, if it is done and did not fail."""

    def outcome(self) -> R:
        """Returns the result of an operation that is done, or raises its error."""
        if self.error is not None:
            raise self.error
        if self.response is None:
            raise Failed(
                f"{self.name} ended with an answer that this client cannot read",
                reason="RESPONSE_UNKNOWN",
                hint="use a client of the daemon's version",
            )
        return self.response


@dataclass(frozen=True, slots=True)
class OperationKinds:
    """How the progress and the results of some kinds of operations are read."""

    progress: Readers
    results: Readers

    def __or__(self, other: OperationKinds) -> OperationKinds:
        return OperationKinds(
            {**self.progress, **other.progress}, {**self.results, **other.results}
        )

    def read(self, message: operations_pb2.Operation) -> OperationState[Any, Any]:
        """Reads a google.longrunning Operation."""
        outcome = message.WhichOneof("result")
        return OperationState(
            name=message.name,
            done=message.done,
            progress=_unpacked(message.metadata, self.progress),
            error=status.from_status(message.error) if outcome == "error" else None,
            response=_unpacked(message.response, self.results) if outcome == "response" else None,
        )


def _unpacked(packed: any_pb2.Any, readers: Readers) -> object | None:
    for kind, read in readers.items():
        message = kind()
        if packed.Unpack(message):
            return read(message)
    return None
