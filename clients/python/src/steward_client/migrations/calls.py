"""The calls of MigrationService."""

from __future__ import annotations

from collections.abc import Iterable

from google.longrunning import operations_pb2
from steward.v1 import migration_pb2 as pb

from steward_client import protobuf_values
from steward_client.connection.call import Call, Page, Pages, new_request_id
from steward_client.migrations.diagram import Diagram
from steward_client.migrations.drift import Drift, DriftProgress
from steward_client.migrations.lint import Linted, LintProgress
from steward_client.migrations.types import (
    OPERATION_KINDS,
    Migrated,
    MigrateProgress,
    Migration,
    MigrationStatus,
    Proved,
    ProveProgress,
)
from steward_client.operations.calls import operation_call
from steward_client.operations.state import OperationState

SERVICE = "/steward.v1.MigrationService"


def get_migration_status(database: str) -> Call[pb.MigrationStatus, MigrationStatus]:
    """MigrationService.GetMigrationStatus."""
    request = pb.GetMigrationStatusRequest(name=_name(database))
    return _status_call("GetMigrationStatus", request)


def list_migrations(database: str, page_size: int) -> Pages[pb.ListMigrationsResponse, Migration]:
    """MigrationService.ListMigrations."""

    def page(answer: pb.ListMigrationsResponse) -> Page[Migration]:
        return Page(tuple(map(Migration.from_proto, answer.migrations)), answer.next_page_token)

    return lambda token: Call(
        f"{SERVICE}/ListMigrations",
        pb.ListMigrationsRequest(parent=_name(database), page_size=page_size, page_token=token),
        pb.ListMigrationsResponse,
        page,
    )


def apply_migrations(
    database: str,
    to_version: int,
    *,
    skip_backup: bool,
    force_unproven: Iterable[str],
    actor: str,
    request_id: str | None,
    dry_run: bool,
) -> Call[operations_pb2.Operation, OperationState[MigrateProgress, Migrated]]:
    """MigrationService.ApplyMigrations, under a request_id always."""
    request = pb.ApplyMigrationsRequest(
        name=_name(database),
        to_version=to_version,
        skip_backup=skip_backup,
        force_unproven=force_unproven,
        actor=actor,
        request_id=request_id or new_request_id(),
        dry_run=dry_run,
    )
    return operation_call(f"{SERVICE}/ApplyMigrations", request, OPERATION_KINDS)


def roll_back_migrations(
    database: str,
    to_version: int,
    *,
    skip_backup: bool,
    force_unproven: Iterable[str],
    actor: str,
    request_id: str | None,
    dry_run: bool,
) -> Call[operations_pb2.Operation, OperationState[MigrateProgress, Migrated]]:
    """MigrationService.RollBackMigrations, under a request_id always."""
    request = pb.RollBackMigrationsRequest(
        name=_name(database),
        to_version=to_version,
        skip_backup=skip_backup,
        force_unproven=force_unproven,
        actor=actor,
        request_id=request_id or new_request_id(),
        dry_run=dry_run,
    )
    return operation_call(f"{SERVICE}/RollBackMigrations", request, OPERATION_KINDS)


def prove_migrations(
    database: str, server_major: int, request_id: str | None
) -> Call[operations_pb2.Operation, OperationState[ProveProgress, Proved]]:
    """MigrationService.ProveMigrations, under a request_id always."""
    request = pb.ProveMigrationsRequest(
        name=_name(database), server_major=server_major, request_id=request_id or new_request_id()
    )
    return operation_call(f"{SERVICE}/ProveMigrations", request, OPERATION_KINDS)


def detect_drift(
    database: str, ignore: Iterable[str], server_major: int, request_id: str | None
) -> Call[operations_pb2.Operation, OperationState[DriftProgress, Drift]]:
    """MigrationService.DetectDrift, under a request_id always."""
    request = pb.DetectDriftRequest(
        name=_name(database),
        ignore=ignore,
        server_major=server_major,
        request_id=request_id or new_request_id(),
    )
    return operation_call(f"{SERVICE}/DetectDrift", request, OPERATION_KINDS)


def lint_migrations(
    database: str, server_major: int, exclude: Iterable[str], request_id: str | None
) -> Call[operations_pb2.Operation, OperationState[LintProgress, Linted]]:
    """MigrationService.LintMigrations, under a request_id always."""
    request = pb.LintMigrationsRequest(
        name=_name(database),
        server_major=server_major,
        exclude=exclude,
        request_id=request_id or new_request_id(),
    )
    return operation_call(f"{SERVICE}/LintMigrations", request, OPERATION_KINDS)


def render_diagram(database: str) -> Call[pb.Diagram, Diagram]:
    """MigrationService.RenderDiagram."""
    request = pb.RenderDiagramRequest(name=_name(database))
    return Call(f"{SERVICE}/RenderDiagram", request, pb.Diagram, Diagram.from_proto)


def baseline_migrations(
    database: str, to_version: int, actor: str
) -> Call[pb.MigrationStatus, MigrationStatus]:
    """MigrationService.BaselineMigrations."""
    request = pb.BaselineMigrationsRequest(name=_name(database), to_version=to_version, actor=actor)
    return _status_call("BaselineMigrations", request)


def repair_migration(name: str, actor: str) -> Call[pb.MigrationStatus, MigrationStatus]:
    """MigrationService.RepairMigration."""
    return _status_call("RepairMigration", pb.RepairMigrationRequest(name=name, actor=actor))


def _status_call(
    method: str,
    request: pb.GetMigrationStatusRequest
    | pb.BaselineMigrationsRequest
    | pb.RepairMigrationRequest,
) -> Call[pb.MigrationStatus, MigrationStatus]:
    return Call(f"{SERVICE}/{method}", request, pb.MigrationStatus, MigrationStatus.from_proto)


def _name(database: str) -> str:
    return protobuf_values.resource("databases", database)
