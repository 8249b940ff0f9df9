"""What a rewriting does to the rows of a batch: the rules of a purge or an erasure, and their result."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from stewardd.batches.states import RowStates
from stewardd.quarantine.finding.rows import BatchRows
from stewardd.quarantine.log.changes import RowEvent


@dataclass(frozen=True, slots=True)
class RewriteResult:
    """The result of a rewriting, without the files. Where it `changed` nothing, nothing is committed.

    `new_states` are states that rows get by it. `archives` are the older archives that stay, `dropped_archives` those
    that are removed, and `new_archive` is a file that becomes one more.
    """

    changed: bool
    new_states: RowStates = field(default_factory=RowStates)
    new_archive: Path | None = None
    archives: tuple[str, ...] = ()
    dropped_archives: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)


class RewriteRules(Protocol):
    """Says what becomes of each row of a batch. Each attempt begins with `apply_to`. For worker threads."""

    def apply_to(self, rows: BatchRows) -> bool:
        """Whether anything of the batch may have to change. It may say yes wrongly, but never no."""

    def start(self, rows: BatchRows, folder: Path) -> None:
        """Starts on a batch. Files may be written to the folder."""

    def rewrite_row(
        self, number: int, line: bytes, events: list[RowEvent]
    ) -> tuple[bytes | None, list[RowEvent]]:
        """The new line and events of a row. None removes the line."""

    def rewrite_valid_record(self, record: bytes) -> bytes:
        """The new form of a record of valid.csv or valid.jsonl."""

    def rewrite_text(self, text: str) -> str:
        """The new form of a text that a person has given, such as an actor."""

    def finish(self) -> RewriteResult:
        """The result, after the last row."""
