"""The counts of a batch's log: how many of its quarantined rows were resolved and discarded since."""

from __future__ import annotations

from dataclasses import dataclass

from stewardd.batches.file import BatchFile
from stewardd.repository.document import Count


@dataclass(frozen=True, slots=True)
class LogSummary:
    """The counts of a batch's log up to commit `number`, 0 for an empty log.

    `files` are the files of the last rewriting, None where there was none.
    """

    number: Count = 0
    resolved_rows: Count = 0
    discarded_rows: Count = 0
    files: tuple[BatchFile, ...] | None = None
