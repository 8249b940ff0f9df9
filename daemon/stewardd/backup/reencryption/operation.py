"""ReencryptBackups as an operation: to read and write all backups takes hours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stewardd.backup.reencryption.reencryption import (
    Reencrypted,
    Reencryption,
    ReencryptionStep,
)
from stewardd.operations.kinds import REENCRYPT_BACKUPS
from stewardd.operations.operations import Operations
from stewardd.operations.running import OperationContext
from stewardd.operations.state import OperationState
from stewardd.repository.document import Codec, Count, Identifier

_MOST_NAMES = 1000


@dataclass(frozen=True, slots=True)
class ReencryptProgress:
    """How far it has come; `backup` is the one that it is at, "" before the first and after the last."""

    backup: str = ""
    stored_bytes: Count = 0
    done: Count = 0
    total: Count = 0


@dataclass(frozen=True, slots=True)
class SkippedBackup:
    """A backup that stays as it is, and why."""

    backup: Identifier
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class ReencryptResponse:
    """What it came to: how many were made and skipped, and the first of them by name."""

    made: Count
    skipped: Count
    backups: tuple[Identifier, ...]
    skipped_backups: tuple[SkippedBackup, ...]

    def __post_init__(self) -> None:
        if len(self.backups) > self.made or len(self.skipped_backups) > self.skipped:
            raise ValueError("it names more backups than it counts")


REENCRYPT_PROGRESS = Codec(ReencryptProgress)
REENCRYPT_RESPONSE = Codec(ReencryptResponse)


class ReencryptOperation:
    """Starts re-encryptions as operations."""

    def __init__(self, operations: Operations, reencryption: Reencryption) -> None:
        self._operations = operations
        self._reencryption = reencryption

    async def start(self, actor: str, request_id: str) -> OperationState:
        """Starts one, or returns the operation that this request_id started before.

        Raises: KeyMissing, RequestIdReused, RequestInProgress, Exhausted.
        """
        self._reencryption.check()

        async def work(context: OperationContext) -> dict[str, Any]:
            def report(step: ReencryptionStep) -> None:
                progress = ReencryptProgress(
                    step.backup_id, step.stored_bytes, step.done, step.total
                )
                context.report(REENCRYPT_PROGRESS.to_json(progress))

            found = await self._reencryption.run(actor, report)
            return REENCRYPT_RESPONSE.to_json(_response(found))

        return await self._operations.start_once(
            REENCRYPT_BACKUPS,
            request_id,
            asked={"actor": actor},
            metadata=REENCRYPT_PROGRESS.to_json(ReencryptProgress()),
            work=work,
        )


def _response(found: Reencrypted) -> ReencryptResponse:
    return ReencryptResponse(
        len(found.made),
        len(found.skipped),
        found.made[:_MOST_NAMES],
        tuple(
            SkippedBackup(each.backup_id, each.error.reason, each.error.message)
            for each in found.skipped[:_MOST_NAMES]
        ),
    )
