"""PruneBackups as an operation: to mark thousands of backups takes longer than a call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stewardd.backup.repositories import RepositoryName, Retentions
from stewardd.operations.kinds import PRUNE_BACKUPS
from stewardd.operations.operations import Operations
from stewardd.operations.running import OperationContext
from stewardd.operations.state import OperationState
from stewardd.repository.document import Codec, Count, Identifier

_MOST_NAMES = 1000


@dataclass(frozen=True, slots=True)
class PruneProgress:
    """How far a pruning has come; of one database, or of all where it is empty."""

    database: str
    deleted: Count = 0
    repository: RepositoryName = RepositoryName.FIRST


@dataclass(frozen=True, slots=True)
class PruneResponse:
    """What a pruning came to; `backups` are the first of those that it marked."""

    deleted: Count
    kept: Count
    backups: tuple[Identifier, ...]
    halted: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.backups) > self.deleted:
            raise ValueError("it names more backups than it counts")


PRUNE_PROGRESS = Codec(PruneProgress)
PRUNE_RESPONSE = Codec(PruneResponse)


class PruneOperation:
    """Starts prunings as operations."""

    def __init__(self, operations: Operations, retentions: Retentions) -> None:
        self._operations = operations
        self._retentions = retentions

    async def start(
        self, database: str, repository: RepositoryName, actor: str, request_id: str
    ) -> OperationState:
        """Starts a pruning of one database, or of all where it is empty.

        Raises: DatabaseUnknown, NoSecondRepository, RequestIdReused, RequestInProgress, Exhausted, RepositoryDown.
        """
        pruning = await self._retentions.of(repository)
        if database:
            await pruning.plan(database)

        async def work(context: OperationContext) -> dict[str, Any]:
            def report(deleted: int) -> None:
                progress = PruneProgress(database, deleted, repository)
                context.report(PRUNE_PROGRESS.to_json(progress))

            found = await pruning.prune(database or None, actor, report)
            response = PruneResponse(
                len(found.deleted), found.kept, found.deleted[:_MOST_NAMES], found.halted
            )
            return PRUNE_RESPONSE.to_json(response)

        return await self._operations.start_once(
            PRUNE_BACKUPS,
            request_id,
            asked={"database": database, "repository": repository.value, "actor": actor},
            metadata=PRUNE_PROGRESS.to_json(PruneProgress(database, 0, repository)),
            work=work,
        )
