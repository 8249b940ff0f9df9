"""What the operation of a restore keeps, a value of each document."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from stewardd.backup.restoring.documents import (
    RESTORE_MADE,
    RESTORE_STANDING,
    DumpFileRecord,
    FileForm,
    Packing,
    RestoreMade,
    RestoreStage,
    RestoreStanding,
)
from stewardd.backup.restoring.unfinished import UNFINISHED_RESTORE, UnfinishedRestore
from stewardd.repository.document import Codec

_STANDING = RestoreStanding(
    "019a7c3e-5b2a-7000-8000-000000000000",
    "main",
    "app_restored",
    RestoreStage.COMPARING,
    7,
    9,
    1,
    4,
    "file:///srv/dumps/app.sql.gz",
)
_MADE = RestoreMade(
    backup="019a7c3e-5b2a-7000-8000-000000000000",
    database="main",
    target="app",
    kept="app_before",
    elapsed_s=3.5,
    compared_tables=4,
    compared_rows=551,
    not_compared=("public.t",),
    created_roles=("reader",),
    left_out=("public.t t_fkey",),
    dump_file=DumpFileRecord(
        "file:///srv/dumps/app.sql.gz", FileForm.SQL, Packing.GZIP, 7, "18.6", "UTF8", "ab" * 32
    ),
    restored_tables=4,
    not_proven=("nobody has signed the file",),
)
_UNFINISHED = UnfinishedRestore(
    datetime(2026, 3, 1, 12, 30, tzinfo=UTC),
    "main",
    "app_restored_20260301_123000",
    ("reader",),
    "7412",
)
DOCUMENTS: list[tuple[str, Codec[Any], Any]] = [
    ("progress of a restore", RESTORE_STANDING, _STANDING),
    ("result of a restore", RESTORE_MADE, _MADE),
    ("unfinished restore", UNFINISHED_RESTORE, _UNFINISHED),
]
OPERATIONS = [
    ("RestoreBackup", RESTORE_STANDING.to_json(_STANDING), RESTORE_MADE.to_json(_MADE)),
]
"""A kind of operation, what it was begun with, and what came of it."""
