"""The findings of linting as messages of the contract."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steward.v1 import migration_pb2 as pb

from stewardd.migrations.lint.finding import LINT_PROGRESS, LINT_RESULT, LintFinding
from stewardd.operations.state import OperationState
from stewardd.rpc import names
from stewardd.rpc.times import timestamp


def lint_metadata(state: OperationState) -> pb.LintMigrationsMetadata:
    """Returns how far linting has come. Raises: Corrupt."""
    progress = LINT_PROGRESS.from_json(state.metadata, names.operation(state.id))
    return pb.LintMigrationsMetadata(
        database=names.database(progress.database),
        server_major=progress.major,
        migration=progress.migration,
        done_count=progress.done_count,
        total_count=progress.total_count,
        create_time=timestamp(state.create_time),
    )


def lint_response(state: OperationState, response: Mapping[str, Any]) -> pb.LintMigrationsResponse:
    """Returns what linting found. Raises: Corrupt."""
    result = LINT_RESULT.from_json(response, names.operation(state.id))
    return pb.LintMigrationsResponse(
        database=names.database(result.database),
        linter=result.linter,
        server_version=result.server_version,
        tried_count=result.tried,
        finding_count=result.finding_count,
        findings=map(_finding, result.findings),
    )


def _finding(finding: LintFinding) -> pb.LintMigrationsResponse.Finding:
    return pb.LintMigrationsResponse.Finding(
        migration=finding.migration,
        file=finding.file_name,
        line=finding.line,
        rule=finding.rule,
        message=finding.message,
        advice=finding.advice,
    )
