"""What takes long with migrations as operations: the same request_id gets the same one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from stewardd.migrations.drift import (
    DRIFT_PROGRESS,
    DRIFT_RESULT,
    DriftDetector,
    DriftProgress,
)
from stewardd.migrations.dry_run import DryRunner
from stewardd.migrations.files import Direction
from stewardd.migrations.ignoring import ignore_rules
from stewardd.migrations.lint.finding import LINT_PROGRESS, LINT_RESULT, LintProgress
from stewardd.migrations.lint.linter import MigrationLinter
from stewardd.migrations.migrations import Asked, Migrations
from stewardd.migrations.progress import (
    MIGRATE_PROGRESS,
    MIGRATE_RESULT,
    PROVE_PROGRESS,
    MigrateProgress,
    ProveProgress,
)
from stewardd.migrations.proof import PROVE_RESULT, ProveResult
from stewardd.migrations.proving import MigrationProver
from stewardd.operations.kinds import (
    APPLY_MIGRATIONS,
    DETECT_DRIFT,
    LINT_MIGRATIONS,
    PROVE_MIGRATIONS,
    ROLL_BACK_MIGRATIONS,
)
from stewardd.operations.operations import Operations
from stewardd.operations.running import OperationContext
from stewardd.operations.state import OperationState


class MigrationOperations:
    """Starts them."""

    def __init__(
        self,
        operations: Operations,
        migrations: Migrations,
        prover: MigrationProver,
        drift: DriftDetector,
        linter: MigrationLinter,
        dry_runner: DryRunner,
    ) -> None:
        self._operations = operations
        self._migrations = migrations
        self._prover = prover
        self._drift = drift
        self._linter = linter
        self._dry_runner = dry_runner

    async def move(
        self, name: str, direction: Direction, to: int | None, asked: Asked, request_id: str
    ) -> OperationState:
        """Starts to bring a database to a version.

        Raises: DatabaseNotFound, RequestIdReused, RequestInProgress, Exhausted.
        """
        self._migrations.database(name)

        async def work(context: OperationContext) -> dict[str, Any]:
            def report(progress: MigrateProgress) -> None:
                context.report(MIGRATE_PROGRESS.to_json(progress))

            if asked.dry_run:
                result = await self._dry_runner.move(name, direction, to, report)
            else:
                result = await self._migrations.move(name, direction, to, asked, report)
            return MIGRATE_RESULT.to_json(result)

        kind = APPLY_MIGRATIONS if direction is Direction.UP else ROLL_BACK_MIGRATIONS
        return await self._operations.start_once(
            kind,
            request_id,
            asked={
                "database": name,
                "to": to,
                "forced": sorted(asked.forced),
                "back_up": asked.back_up,
                "actor": asked.actor,
                **({"dry_run": True} if asked.dry_run else {}),
            },
            metadata=MIGRATE_PROGRESS.to_json(
                MigrateProgress(name, direction.value, dry_run=asked.dry_run)
            ),
            work=work,
        )

    async def prove(self, name: str, major: int, request_id: str) -> OperationState:
        """Starts to prove the set of a database, on a major version (0: the database's own).

        Raises: DatabaseNotFound, RequestIdReused, RequestInProgress, Exhausted.
        """
        self._migrations.database(name)

        async def work(context: OperationContext) -> dict[str, Any]:
            wanted = major or (await self._migrations.status(name)).server_major
            found = await self._migrations.read_set(name)
            proofs = await self._prover.prove(name, found, wanted, _reporter(context))
            return PROVE_RESULT.to_json(ProveResult(name, tuple(proofs)))

        return await self._operations.start_once(
            PROVE_MIGRATIONS,
            request_id,
            asked={"database": name, "major": major},
            metadata=PROVE_PROGRESS.to_json(ProveProgress(name, major)),
            work=work,
        )

    async def detect_drift(
        self, name: str, major: int, ignored: Sequence[str], request_id: str
    ) -> OperationState:
        """Starts to compare a database with its migrations, replayed on a major version; `ignored` is passed over.

        Raises: DatabaseNotFound, InvalidRequest, RequestIdReused, RequestInProgress, Exhausted.
        """
        self._migrations.database(name)
        ignore_rules(ignored)

        async def work(context: OperationContext) -> dict[str, Any]:
            def report(progress: DriftProgress) -> None:
                context.report(DRIFT_PROGRESS.to_json(progress))

            return DRIFT_RESULT.to_json(await self._drift.detect(name, major, ignored, report))

        return await self._operations.start_once(
            DETECT_DRIFT,
            request_id,
            asked={"database": name, "major": major, "ignored": list(ignored)},
            metadata=DRIFT_PROGRESS.to_json(DriftProgress(name, major)),
            work=work,
        )

    async def lint(
        self, name: str, major: int, excluded: Sequence[str], request_id: str
    ) -> OperationState:
        """Starts to lint the set of a database, for a major version (0: the database's own); `excluded` rules are off.

        Raises: DatabaseNotFound, RequestIdReused, RequestInProgress, Exhausted.
        """
        self._migrations.database(name)

        async def work(context: OperationContext) -> dict[str, Any]:
            def report(progress: LintProgress) -> None:
                context.report(LINT_PROGRESS.to_json(progress))

            return LINT_RESULT.to_json(await self._linter.lint(name, major, excluded, report))

        return await self._operations.start_once(
            LINT_MIGRATIONS,
            request_id,
            asked={"database": name, "major": major, "excluded": list(excluded)},
            metadata=LINT_PROGRESS.to_json(LintProgress(name, major)),
            work=work,
        )


def _reporter(context: OperationContext) -> Callable[[ProveProgress], None]:
    return lambda progress: context.report(PROVE_PROGRESS.to_json(progress))
