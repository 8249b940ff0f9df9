"""MigrationService: what a database has of its set, and the operations that change or prove it."""

from __future__ import annotations

import re

import grpc
from google.longrunning import operations_pb2
from steward.v1 import migration_pb2 as pb
from steward.v1 import migration_pb2_grpc

from stewardd.errors import InvalidRequest, NotFound
from stewardd.migrations.files import Direction
from stewardd.migrations.migrations import Asked, Migrations
from stewardd.migrations.operations import MigrationOperations
from stewardd.migrations.rendering import DiagramRenderer
from stewardd.rpc import names
from stewardd.rpc.context import Context
from stewardd.rpc.migration.messages import diagram_message, migration_message, status_message
from stewardd.rpc.names import actor_of, request_id_of
from stewardd.rpc.operations.messages import operation_message
from stewardd.rpc.pages import last_name_of, page_size_of, token_after

_LISTING = "migrations"
_MOST_FORCED = 100
_MOST_IGNORED = 100
_MOST_EXCLUDED = 100
_RULE = re.compile(r"[a-z][a-z0-9-]{0,99}")


class MigrationServicer(migration_pb2_grpc.MigrationServiceServicer):
    """Translates; what a migration is and when it is applied is said in migrations/."""

    service_name = pb.DESCRIPTOR.services_by_name["MigrationService"].full_name

    def __init__(
        self, migrations: Migrations, operations: MigrationOperations, diagrams: DiagramRenderer
    ) -> None:
        self._migrations = migrations
        self._diagrams = diagrams
        self._operations = operations

    def add_to(self, server: grpc.aio.Server) -> None:
        """Registers the service."""
        migration_pb2_grpc.add_MigrationServiceServicer_to_server(self, server)

    async def GetMigrationStatus(
        self, request: pb.GetMigrationStatusRequest, context: Context
    ) -> pb.MigrationStatus:
        """Returns what a database has of its set."""
        return status_message(await self._migrations.status(names.parse_database(request.name)))

    async def ListMigrations(
        self, request: pb.ListMigrationsRequest, context: Context
    ) -> pb.ListMigrationsResponse:
        """Returns a page of migrations, in order."""
        size = page_size_of(request.page_size)
        after = last_name_of(_LISTING, request.page_token)
        status = await self._migrations.status(names.parse_database(request.parent, field="parent"))
        left = [step for step in status.steps if step.label > after]
        shown = left[:size]
        return pb.ListMigrationsResponse(
            migrations=[migration_message(status, step) for step in shown],
            next_page_token=token_after(_LISTING, shown[-1].label if len(left) > size else ""),
        )

    async def ApplyMigrations(
        self, request: pb.ApplyMigrationsRequest, context: Context
    ) -> operations_pb2.Operation:
        """Starts applying."""
        state = await self._operations.move(
            names.parse_database(request.name),
            Direction.UP,
            _version_of(request.to_version) or None,
            _asked(request),
            request_id_of(request.request_id),
        )
        return operation_message(state)

    async def RollBackMigrations(
        self, request: pb.RollBackMigrationsRequest, context: Context
    ) -> operations_pb2.Operation:
        """Starts taking back."""
        if not request.HasField("to_version"):
            raise InvalidRequest(
                "to_version is required: the number of the last migration that stays, 0 for none",
                field="to_version",
            )
        state = await self._operations.move(
            names.parse_database(request.name),
            Direction.DOWN,
            _version_of(request.to_version),
            _asked(request),
            request_id_of(request.request_id),
        )
        return operation_message(state)

    async def ProveMigrations(
        self, request: pb.ProveMigrationsRequest, context: Context
    ) -> operations_pb2.Operation:
        """Starts proving."""
        state = await self._operations.prove(
            names.parse_database(request.name),
            _major_of(request.server_major),
            request_id_of(request.request_id),
        )
        return operation_message(state)

    async def DetectDrift(
        self, request: pb.DetectDriftRequest, context: Context
    ) -> operations_pb2.Operation:
        """Starts to compare."""
        if len(request.ignore) > _MOST_IGNORED:
            raise InvalidRequest(f"ignore has more than {_MOST_IGNORED} entries", field="ignore")
        state = await self._operations.detect_drift(
            names.parse_database(request.name),
            _major_of(request.server_major),
            list(request.ignore),
            request_id_of(request.request_id),
        )
        return operation_message(state)

    async def LintMigrations(
        self, request: pb.LintMigrationsRequest, context: Context
    ) -> operations_pb2.Operation:
        """Starts linting."""
        excluded = list(request.exclude)
        if len(excluded) > _MOST_EXCLUDED or not all(map(_RULE.fullmatch, excluded)):
            raise InvalidRequest(
                f"exclude takes at most {_MOST_EXCLUDED} names of rules, such as ban-drop-column",
                field="exclude",
            )
        state = await self._operations.lint(
            names.parse_database(request.name),
            _major_of(request.server_major),
            excluded,
            request_id_of(request.request_id),
        )
        return operation_message(state)

    async def RenderDiagram(self, request: pb.RenderDiagramRequest, context: Context) -> pb.Diagram:
        """Draws the tables."""
        return diagram_message(await self._diagrams.render(names.parse_database(request.name)))

    async def BaselineMigrations(
        self, request: pb.BaselineMigrationsRequest, context: Context
    ) -> pb.MigrationStatus:
        """Records a baseline."""
        status = await self._migrations.baseline(
            names.parse_database(request.name),
            _version_of(request.to_version),
            actor_of(request.actor),
        )
        return status_message(status)

    async def RepairMigration(
        self, request: pb.RepairMigrationRequest, context: Context
    ) -> pb.MigrationStatus:
        """Takes an edited file's new SHA-256."""
        database, label = names.parse_migration(request.name)
        found = await self._migrations.read_set(database)
        migration = next((each for each in found.migrations if each.label == label), None)
        if migration is None:
            raise NotFound(
                f"the set of database {database!r} has no migration {label!r}", field="name"
            )
        status = await self._migrations.repair(database, migration.number, actor_of(request.actor))
        return status_message(status)


def _asked(request: pb.ApplyMigrationsRequest | pb.RollBackMigrationsRequest) -> Asked:
    if len(request.force_unproven) > _MOST_FORCED:
        raise InvalidRequest(
            f"force_unproven names more than {_MOST_FORCED} migrations", field="force_unproven"
        )
    return Asked(
        actor_of(request.actor),
        frozenset(request.force_unproven),
        back_up=not request.skip_backup,
        dry_run=request.dry_run,
    )


def _major_of(number: int) -> int:
    if number < 0:
        raise InvalidRequest("server_major must not be negative", field="server_major")
    return number


def _version_of(number: int) -> int:
    if number < 0:
        raise InvalidRequest("to_version must not be negative", field="to_version")
    return number
