"""CopyBackup and ImportBackup as operations."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from stewardd.backup.copying.copies import BackupCopies
from stewardd.backup.copying.imports import BackupImports
from stewardd.backup.manifest.codec import BACKUP_MANIFEST
from stewardd.errors import NoSecondRepository
from stewardd.operations.kinds import COPY_BACKUP, IMPORT_BACKUP
from stewardd.operations.operations import Operations
from stewardd.operations.running import OperationContext
from stewardd.operations.state import OperationState
from stewardd.repository.document import Codec, Count, Identifier


@dataclass(frozen=True, slots=True)
class CopyProgress:
    """How far a copy or an import has come; `size_bytes` is what there is to copy, 0 while that is not known."""

    backup: Identifier
    copied_bytes: Count = 0
    size_bytes: Count = 0


@dataclass(frozen=True, slots=True)
class CopyResult:
    """A copy that was made: of which backup, and where."""

    backup: Identifier
    url: str
    size_bytes: Count


COPY_PROGRESS = Codec(CopyProgress)
COPY_RESULT = Codec(CopyResult)


class BackupCopying:
    """Starts copies as operations; without `copies` there is no second repository."""

    def __init__(self, operations: Operations, copies: BackupCopies | None) -> None:
        self._operations = operations
        self._copies = copies

    async def start(self, backup_id: str, request_id: str) -> OperationState:
        """Starts a copy, or returns the operation that this request_id started before.

        Raises: NoSecondRepository, BackupNotFound, Corrupt, RequestIdReused, RequestInProgress, Exhausted.
        """
        copies = self._copies
        if copies is None:
            raise NoSecondRepository("no second repository is configured")
        manifest = await copies.manifest(backup_id)
        begun = CopyProgress(backup_id, 0, manifest.stored_size_bytes)

        async def work(context: OperationContext) -> dict[str, Any]:
            def report(copied_bytes: int) -> None:
                context.report(COPY_PROGRESS.to_json(replace(begun, copied_bytes=copied_bytes)))

            made = await copies.copy_in_turn(backup_id, report)
            return COPY_RESULT.to_json(
                CopyResult(backup_id, await copies.url(), made.stored_size_bytes)
            )

        return await self._operations.start_once(
            COPY_BACKUP,
            request_id,
            asked={"backup": backup_id},
            metadata=COPY_PROGRESS.to_json(begun),
            work=work,
        )


class BackupImporting:
    """Starts imports as operations."""

    def __init__(self, operations: Operations, imports: BackupImports) -> None:
        self._operations = operations
        self._imports = imports

    async def start(
        self, backup_id: str, manifest_uri: str, request_id: str, *, accept_unknown_signer: bool
    ) -> OperationState:
        """Starts an import, or returns the operation that this request_id started before.

        Raises: NoSecondRepository, BackupNotFound, UriRefused, SignerUnknown, Corrupt, RequestIdReused,
        RequestInProgress, Exhausted, RepositoryDown.
        """
        imports = self._imports
        place = await imports.find(backup_id, manifest_uri)
        manifest = await imports.look(place, accept_unknown_signer=accept_unknown_signer)
        begun = CopyProgress(manifest.backup_id, 0, manifest.stored_size_bytes)

        async def work(context: OperationContext) -> dict[str, Any]:
            def report(copied_bytes: int) -> None:
                context.report(COPY_PROGRESS.to_json(replace(begun, copied_bytes=copied_bytes)))

            imported = await imports.run(place, report, accept_unknown_signer=accept_unknown_signer)
            return BACKUP_MANIFEST.to_json(imported)

        return await self._operations.start_once(
            IMPORT_BACKUP,
            request_id,
            asked={
                "backup": backup_id,
                "manifest_uri": manifest_uri,
                "accept_unknown_signer": accept_unknown_signer,
            },
            metadata=COPY_PROGRESS.to_json(begun),
            work=work,
        )
