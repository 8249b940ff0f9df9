"""Stored documents of migrations, as samples: what is kept of applying and of proving."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from stewardd.migrations import drift, progress, proof
from stewardd.migrations.lint import finding as lint
from stewardd.repository.document import Codec

WHEN = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
_PROGRESS = progress.MigrateProgress("main", "up", "MIGRATING", "0004_deduplication", 3, 5, 7, "")
_STEP = progress.MigratedStep("0004_a", 4, 1.5, 0.5, ("AccessExclusiveLock on t",), 2, True, 9)
_RESULT = progress.MigrateResult("main", "up", 5, "backups/1", (_STEP,))
_PROVING = progress.ProveProgress("main", 18, "0004_a", 3, 5)
_PROOF = proof.MigrationProof(
    label="0004_a",
    number=4,
    sha256="ab" * 32,
    chain_sha256="cd" * 32,
    outcome=proof.FAILED,
    detail="it does not come back",
    wanted_major=18,
    server_version="18.6",
    proven_at=WHEN,
    elapsed_s=1.5,
    rows=100,
    few_rows=("public.t took 2 of 100 rows",),
    differences=("column public.t.a is missing",),
    losses=(proof.ProofLoss("public.t", "a", 9, is_own=False),),
)
_PROVED = proof.ProveResult("main", (_PROOF,))
_DRIFTING = drift.DriftProgress("main", 15, "0004_a", 3, 5)
_DRIFT = drift.DriftResult(
    database="main",
    version=5,
    server_version="15.14",
    scratch_version="18.6",
    difference_count=2,
    ignored_count=1,
    differences=(
        drift.DriftDifference(
            "table", "public.t", "existence", None, "there", "table public.t is there and should not be",
            ("DROP TABLE public.t",),
        ),
    ),
    script=("DROP TABLE public.t",),
)  # fmt: skip
_DRY_STATEMENT = progress.DryStatement(
    "0004_a.up.sql", 3, "ALTER TABLE t ADD a int",
    (progress.DryLock("t", "AccessExclusiveLock", True, True, 2),), ("t",), ("t",),
)  # fmt: skip
_DRY_STEP = progress.MigratedStep("0004_a", 4, 0.0, 0.0, (), 0, True, 0, (_DRY_STATEMENT,))
_DRY_RESULT = progress.MigrateResult("main", "up", 3, "", (_DRY_STEP,), dry_run=True)
_LINTING = lint.LintProgress("main", 18, "0004_a", 3, 5)
_LINTED = lint.LintResult(
    "main", "squawk 2.70.0", "18.6", 5, 1,
    (lint.LintFinding("0004_a", "0004_a.up.sql", 3, "renaming-column", "a column is renamed", "add one"),),
)  # fmt: skip
DOCUMENTS: list[tuple[str, Codec[Any], Any]] = [
    ("migration progress", progress.MIGRATE_PROGRESS, _PROGRESS),
    ("migration result", progress.MIGRATE_RESULT, _RESULT),
    ("proving progress", progress.PROVE_PROGRESS, _PROVING),
    ("migration proof", proof.MIGRATION_PROOF, _PROOF),
    ("proving result", proof.PROVE_RESULT, _PROVED),
    ("dry run", progress.MIGRATE_RESULT, _DRY_RESULT),
    ("lint progress", lint.LINT_PROGRESS, _LINTING),
    ("lint", lint.LINT_RESULT, _LINTED),
    ("drift progress", drift.DRIFT_PROGRESS, _DRIFTING),
    ("drift", drift.DRIFT_RESULT, _DRIFT),
]
OPERATIONS = [
    (
        "ApplyMigrations",
        progress.MIGRATE_PROGRESS.to_json(_PROGRESS),
        progress.MIGRATE_RESULT.to_json(_RESULT),
    ),
    (
        "ProveMigrations",
        progress.PROVE_PROGRESS.to_json(_PROVING),
        proof.PROVE_RESULT.to_json(_PROVED),
    ),
    (
        "LintMigrations",
        lint.LINT_PROGRESS.to_json(_LINTING),
        lint.LINT_RESULT.to_json(_LINTED),
    ),
    (
        "DetectDrift",
        drift.DRIFT_PROGRESS.to_json(_DRIFTING),
        drift.DRIFT_RESULT.to_json(_DRIFT),
    ),
]
"""A kind of operation, what it was begun with, and what came of it."""
