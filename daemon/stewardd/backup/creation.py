"""CreateBackup as an operation: the same request_id gets the same backup, even if the call that started it died."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stewardd.backup.asked import BackupAsked
from stewardd.backup.backups import Backups
from stewardd.backup.manifest.codec import BACKUP_MANIFEST
from stewardd.backup.progress import BACKUP_PROGRESS, BackupProgress
from stewardd.operations.kinds import CREATE_BACKUP
from stewardd.operations.operations import Operations
from stewardd.operations.running import OperationContext
from stewardd.operations.state import OperationState
from stewardd.repository.document import Codec
from stewardd.repository.identifiers import uuid7


@dataclass(frozen=True, slots=True)
class KeyNotices:
    """What the result of the operation says beside the manifest: of the keys, as the daemon that made it knows them."""

    notices: tuple[str, ...] = ()


KEY_NOTICES = Codec(KeyNotices)


class BackupCreation:
    """Starts backups as operations."""

    def __init__(self, operations: Operations, backups: Backups) -> None:
        self._operations = operations
        self._backups = backups

    def database_named(self, name: str) -> str:
        """The configured name that a request means; "" is the only one. Raises: DatabaseUnknown."""
        return self._backups.database_named(name)

    async def start(
        self,
        database: str,
        description: str,
        request_id: str,
        asked: BackupAsked | None = None,
    ) -> OperationState:
        """Starts a backup, or returns the operation that this request_id started before.

        Raises: InvalidRequest, DatabaseUnknown, KeyUnknown, RequestIdReused, RequestInProgress, Exhausted.
        """
        wanted = asked or BackupAsked()
        name = self._backups.database_named(database)
        self._backups.plan(wanted)  # what cannot be is refused now, and not by the operation
        backup_id = uuid7()

        async def work(context: OperationContext) -> dict[str, Any]:
            def report(progress: BackupProgress) -> None:
                context.report(BACKUP_PROGRESS.to_json(progress))

            manifest = await self._backups.create(name, description, report, backup_id, wanted)
            notices = KeyNotices(self._backups.keyring.notices(manifest))
            return BACKUP_MANIFEST.to_json(manifest) | KEY_NOTICES.to_json(notices)

        return await self._operations.start_once(
            CREATE_BACKUP,
            request_id,
            asked={"database": name, "description": description, **wanted.fingerprint},
            metadata=BACKUP_PROGRESS.to_json(BackupProgress(backup_id, name)),
            work=work,
        )
