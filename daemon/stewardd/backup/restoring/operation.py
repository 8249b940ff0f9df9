"""RestoreBackup as an operation, and how long the last restore of a database took."""

from __future__ import annotations

from typing import Any

from stewardd.backup.restoring.documents import (
    RESTORE_MADE,
    RESTORE_STANDING,
    RestoreStanding,
)
from stewardd.backup.restoring.plan import RestorePlan
from stewardd.backup.restoring.request import RestoreRequest
from stewardd.backup.restoring.restores import Restores
from stewardd.errors import Corrupt
from stewardd.operations.kinds import RESTORE_BACKUP
from stewardd.operations.operations import Operations
from stewardd.operations.running import OperationContext
from stewardd.operations.state import OperationState

_PAGE_SIZE = 50
_PAGES_READ = 4


class BackupRestoring:
    """Plans restores, and starts them as operations."""

    def __init__(self, operations: Operations, restores: Restores) -> None:
        self._operations = operations
        self._restores = restores

    async def plan(self, request: RestoreRequest) -> RestorePlan:
        """What a restore would do, and what stands in its way. Raises: see Restores.plan."""
        return await self._restores.plan(request)

    async def last_elapsed_s(self, database: str) -> float | None:
        """How long the last restore of a database took, among the newest operations. Raises: RepositoryDown."""
        token = ""
        for _ in range(_PAGES_READ):
            page = await self._operations.list(page_size=_PAGE_SIZE, page_token=token)
            for state in page.items:
                elapsed_s = _elapsed_s(state, database)
                if elapsed_s is not None:
                    return elapsed_s
            token = page.next_page_token
            if not token:
                break
        return None

    async def start(self, request: RestoreRequest, confirm: str, request_id: str) -> OperationState:
        """Starts a restore, or returns the operation that this request_id started before.

        What stands in its way is refused here, and again when its turn comes. Raises: what `RestorePlan.check` and
        `Restores.plan` raise, RequestIdReused, RequestInProgress, Exhausted.
        """
        request.check()

        async def admit() -> None:
            (await self._restores.plan(request)).check(confirm)

        async def work(context: OperationContext) -> dict[str, Any]:
            def report(standing: RestoreStanding) -> None:
                context.report(RESTORE_STANDING.to_json(standing))

            return RESTORE_MADE.to_json(await self._restores.run(request, confirm, report))

        return await self._operations.start_once(
            RESTORE_BACKUP,
            request_id,
            asked={**request.fingerprint, "confirm": confirm},
            metadata=RESTORE_STANDING.to_json(
                RestoreStanding(
                    request.backup_id,
                    request.database,
                    request.new_database,
                    dump_uri=request.dump_uri,
                )
            ),
            work=work,
            admit=admit,
        )


def _elapsed_s(state: OperationState, database: str) -> float | None:
    if state.kind != RESTORE_BACKUP.name or state.response is None:
        return None
    try:
        made = RESTORE_MADE.from_json(state.response, f"operations/{state.id}")
    except Corrupt:
        return None  # the page of operations tells it
    return made.elapsed_s if made.database == database else None
