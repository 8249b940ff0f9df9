"""What is known of an upload when it is over, for the metrics."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from stewardd.batches.manifest import BatchManifest


class Outcome(StrEnum):
    """How an upload ended. REPEATED: the answer was the batch that its request_id had made before."""

    PUBLISHED = "published"
    REPEATED = "repeated"
    ABANDONED = "abandoned"


@dataclass(slots=True)
class Upload:
    """The counts of an upload. `batch` is what it published."""

    outcome: Outcome = Outcome.ABANDONED
    received_bytes: int = 0
    batch: BatchManifest | None = None
