"""What has happened to the quarantined rows of a batch since it was published, in numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Summary:
    """The counts of a batch's log up to commit `number`, 0 for an empty log.

    `files` are the files of the last rewriting, None where there was none.
    """

    number: int = 0
    resolved_rows: int = 0
    discarded_rows: int = 0
    files: tuple[Mapping[str, Any], ...] | None = None
