"""Stored documents of what happens to backups after they are made, as samples: copies, retention, keys, schedules."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from stewardd.backup import prune_operation, states
from stewardd.backup.copying.operation import (
    COPY_PROGRESS,
    COPY_RESULT,
    CopyProgress,
    CopyResult,
)
from stewardd.backup.copying.records import COPY_RECORD, CopyRecord
from stewardd.backup.reencryption import operation as reencryption
from stewardd.backup.repositories import RepositoryName
from stewardd.backup.schedules import schedule as schedules
from stewardd.backup.telling import waiting
from stewardd.repository.document import Codec

from tests.support.backup_proofs import PROOF

ID = "019aabcd-0000-7000-8000-000000000000"
WHEN = datetime(2026, 11, 27, 8, 0, 0, 123000, UTC)
_COPYING = CopyProgress(ID, 1, 700)
_COPIED = CopyResult(ID, "s3://bucket/second", 700)
_PRUNING = prune_operation.PruneProgress("main", 3, RepositoryName.SECOND)
_PRUNED = prune_operation.PruneResponse(3, 7, (ID,), ("main",))
_REENCRYPTING = reencryption.ReencryptProgress(ID, 700, 3, 7)
_REENCRYPTED = reencryption.ReencryptResponse(
    2, 1, (ID,), (reencryption.SkippedBackup(ID, "KEY_MISSING", "no private key is here"),)
)
_SCHEDULE = schedules.ScheduleDefinition("main", "30 2 * * *", "UTC", 0.0, 60.0, "x")
DOCUMENTS: list[tuple[str, Codec[Any], Any]] = [
    ("record of a copy", COPY_RECORD, CopyRecord(WHEN, "s3://bucket/second", 700)),
    ("progress of a copy", COPY_PROGRESS, _COPYING),
    ("result of a copy", COPY_RESULT, _COPIED),
    (
        "backup state",
        states.STATE_CODEC,
        states.BackupState(WHEN, "mia", True, "the last before the move", WHEN, True, PROOF),
    ),
    (
        "stored schedule",
        schedules.STORED_SCHEDULE,
        schedules.StoredSchedule(WHEN, WHEN, "mia", definition=_SCHEDULE),
    ),
    (
        "schedule run",
        schedules.SCHEDULE_RUN,
        schedules.ScheduleRun(WHEN, WHEN, schedules.RunOutcome.FAILED, ID, 2, "DATABASE_DOWN"),
    ),
    ("prune progress", prune_operation.PRUNE_PROGRESS, _PRUNING),
    ("prune response", prune_operation.PRUNE_RESPONSE, _PRUNED),
    ("reencrypt progress", reencryption.REENCRYPT_PROGRESS, _REENCRYPTING),
    ("reencrypt response", reencryption.REENCRYPT_RESPONSE, _REENCRYPTED),
    (
        "waiting message",
        waiting.MESSAGE_CODEC,
        waiting.MessageDocument(WHEN, f"msg_{ID}", '{"type": "backup.completed"}'),
    ),
]
OPERATIONS = [
    ("CopyBackup", COPY_PROGRESS.to_json(_COPYING), COPY_RESULT.to_json(_COPIED)),
    (
        "PruneBackups",
        prune_operation.PRUNE_PROGRESS.to_json(_PRUNING),
        prune_operation.PRUNE_RESPONSE.to_json(_PRUNED),
    ),
    (
        "ReencryptBackups",
        reencryption.REENCRYPT_PROGRESS.to_json(_REENCRYPTING),
        reencryption.REENCRYPT_RESPONSE.to_json(_REENCRYPTED),
    ),
]
