"""Starts backups as operations: the same request_id gets the same operation, whatever became of it."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from stewardd.backup.backups import Backups
from stewardd.operations.ledger import request_key
from stewardd.operations.operations import Operations
from stewardd.operations.running import Handle
from stewardd.operations.state import OperationState
from stewardd.repository.claims import Claim, Claims, Done
from stewardd.repository.identifiers import uuid7

KIND = "CreateBackup"


class BackupStarter:
    """What CreateBackup calls."""

    def __init__(self, operations: Operations, backups: Backups, claims: Claims) -> None:
        self._operations = operations
        self._backups = backups
        self._claims = claims

    async def start(self, database: str, description: str, request_id: str) -> OperationState:
        """Starts a backup, or returns the operation that this request_id started before.

        Raises DatabaseUnknown, RequestIdReused, RequestInProgress, Exhausted.
        """
        name = self._backups.database_named(database)
        operation_id = self._operations.new_id()
        claim: Claim | None = None
        if request_id:
            wanted = json.dumps({"database": name, "description": description})
            fingerprint = hashlib.sha256(wanted.encode()).hexdigest()
            # The operation answers the request from the moment that it exists, whatever becomes of this call.
            outcome = await self._claims.claim(
                KIND,
                request_id,
                fingerprint,
                resource=operation_id,
                manifest_key=request_key(operation_id),
            )
            if isinstance(outcome, Done):
                return await self._operations.get(outcome.resource)
            claim = outcome.claim
        try:
            state = await self._start(operation_id, name, description)
        except BaseException:
            if claim is not None:
                await claim.release()
            raise
        if claim is not None:
            await claim.done(operation_id)
        return state

    async def _start(self, operation_id: str, database: str, description: str) -> OperationState:
        backup_id = uuid7()

        async def run(handle: Handle) -> dict[str, Any]:
            manifest = await self._backups.create(
                database, description, _BackupHandle(handle), backup_id
            )
            return manifest.to_document()

        metadata = {"backup": backup_id, "database": database, "phase": "QUEUED"}
        return await self._operations.start(KIND, metadata, run, operation_id=operation_id)


class _BackupHandle:
    """An operation's handle, as the making of a backup wants it."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle
        self.report = handle.report

    @property
    def cancelled(self) -> bool:
        """Whether somebody asked for the operation's end."""
        return self._handle.cancelled.is_set()
