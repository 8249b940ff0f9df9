"""A file of a batch, as manifests and rewritings name it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from stewardd.repository.document import (
    LEFT_OUT_IF_EMPTY,
    Count,
    Crc32c,
    KeyOrNothing,
    ObjectName,
)


@dataclass(frozen=True, slots=True)
class BatchFile:
    """A file of a batch. `crc32c` is CRC-32C (RFC 3720). `at` is its key below the batch's folder, if not its name."""

    name: ObjectName
    size_bytes: Count
    crc32c: Crc32c
    at: Annotated[KeyOrNothing, LEFT_OUT_IF_EMPTY] = ""

    @property
    def object(self) -> str:
        """The key below the batch's folder."""
        return self.at or self.name
