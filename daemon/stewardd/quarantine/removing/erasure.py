"""Erasing a person: wherever the quarantine holds their e-mail address it is masked, and the erasure is recorded.

All batches are searched: records, errors, valid rows, corrections, histories and archives. A batch that names the
person is rewritten: its counts stay, and the address goes with the old objects. Records of the erasure (the operation,
and a commit in each batch) hold a keyed hash of the address. A batch that fails stops no other batch: the erasure goes
on, and ends with an error that names the batches that are left.
"""

from __future__ import annotations

import secrets
from contextlib import aclosing, suppress
from dataclasses import dataclass

from stewardd.batches.manifest import BatchManifest
from stewardd.errors import (
    BatchesLeft,
    BatchNotFound,
    Cancelled,
    LeaseLost,
    ObjectExists,
    ObjectNotFound,
    StewardError,
)
from stewardd.quarantine.finding.batch_selection import BatchSelection, ReportProgress
from stewardd.quarantine.log.changes import Action
from stewardd.quarantine.removing.data_subject import DataSubject
from stewardd.quarantine.removing.erasure_rules import ErasedCounts, ErasureRules, Mask
from stewardd.quarantine.removing.payload_mask import PayloadMask
from stewardd.quarantine.removing.rewriting import BatchRewriter
from stewardd.quarantine.removing.row_mask import RowMask
from stewardd.repository.backend.store import Store
from stewardd.schemas.kinds import SchemaKind
from stewardd.schemas.registry import Registry
from stewardd.telemetry import logger

KEY = "quarantine/erasure.key"
_KEY_BYTES = 32
_NAMED = 10  # so many batches fit into an error's message

_log = logger("quarantine")


@dataclass(frozen=True, slots=True)
class EraseRequest:
    """Whom to erase."""

    subject: DataSubject
    dry_run: bool
    actor: str


@dataclass(slots=True)
class EraseOutcome:
    """The counts of what was masked, or in a dry run would be."""

    scanned_batches: int = 0
    batches: int = 0
    quarantined_rows: int = 0
    valid_rows: int = 0
    events: int = 0
    archived_rows: int = 0

    def add(self, counts: ErasedCounts) -> None:
        """Adds the counts of one batch."""
        self.batches += bool(counts)
        self.quarantined_rows += counts.quarantined_rows
        self.valid_rows += counts.valid_rows
        self.events += counts.events
        self.archived_rows += counts.archived_rows


class Erasure:
    """Erases people."""

    def __init__(
        self, selection: BatchSelection, rewriter: BatchRewriter, store: Store, registry: Registry
    ) -> None:
        self._selection = selection
        self._rewriter = rewriter
        self._store = store
        self._registry = registry

    async def hashed(self, subject: DataSubject) -> str:
        """The keyed hash of a person's address, as records have it. Raises: RepositoryDown."""
        try:
            key = await self._store.get(KEY)
        except ObjectNotFound:
            with suppress(ObjectExists):
                await self._store.put(KEY, secrets.token_bytes(_KEY_BYTES))
            key = await self._store.get(KEY)
        return subject.hashed(key)

    async def run(self, request: EraseRequest, hashed: str, report: ReportProgress) -> EraseOutcome:
        """Erases a person from all batches.

        Raises: BatchesLeft at the end, where some batches failed; LeaseLost at once, because every other batch would
        fail too; Cancelled from `report`.
        """
        outcome = EraseOutcome()
        left: dict[str, str] = {}
        async with aclosing(self._selection.identifiers()) as batch_ids:
            async for batch_id in batch_ids:
                try:
                    outcome.add(await self._erase(request, hashed, batch_id))
                except BatchNotFound:
                    continue  # not published
                except (Cancelled, LeaseLost):
                    raise
                except StewardError as error:
                    left[batch_id] = error.reason
                    _log.error("batch left by an erasure", batch=batch_id, error=error.message)
                except Exception:  # noqa: BLE001  # an edge: an unforeseen error in one batch must not stop the others
                    left[batch_id] = StewardError.reason
                    _log.exception("batch left by an erasure", batch=batch_id)
                outcome.scanned_batches += 1
                await report(outcome.scanned_batches, outcome.quarantined_rows + outcome.valid_rows)
        if left:
            raise _batches_left(left, outcome.scanned_batches)
        return outcome

    async def _erase(self, request: EraseRequest, hashed: str, batch_id: str) -> ErasedCounts:
        batch = await self._selection.get(batch_id)
        rules = ErasureRules(request.subject, self._mask(request.subject, batch), hashed)
        await self._rewriter.rewrite(
            batch_id, Action.ERASE, request.actor, rules, dry_run=request.dry_run
        )
        return rules.counts

    def _mask(self, subject: DataSubject, batch: BatchManifest) -> Mask:
        """The mask for a batch. Personal data of any version counts: a newer one may have validated a corrected row."""
        personal = frozenset(
            field
            for schema in self._registry.all(batch.kind)
            if schema.key.name == batch.schema
            for field in schema.personal_fields
        )
        if batch.kind is SchemaKind.PAYLOAD:
            return PayloadMask(subject, personal)
        return RowMask(subject, personal, batch.delimiter)


def _batches_left(left: dict[str, str], scanned: int) -> BatchesLeft:
    named = [f"{batch_id} ({reason})" for batch_id, reason in left.items()]
    more = [f"{len(named) - _NAMED} more, which the daemon's log names"] if named[_NAMED:] else []
    return BatchesLeft(
        f"{len(left)} of {scanned} batches could not be looked through or rewritten, and may still name the person: "
        + ", ".join(named[:_NAMED] + more)
    )
