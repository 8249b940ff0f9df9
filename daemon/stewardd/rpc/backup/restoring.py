"""Restores as messages of the contract."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steward.v1 import backup_pb2 as pb

from stewardd.backup.repositories import RepositoryName
from stewardd.backup.restoring.documents import RESTORE_MADE, RESTORE_STANDING, DumpFileRecord
from stewardd.backup.restoring.plan import RestorePlan
from stewardd.backup.restoring.request import RestoreMode, RestoreRequest, RestoreRoles
from stewardd.errors import InvalidRequest
from stewardd.operations.state import OperationState
from stewardd.rpc import names
from stewardd.rpc.backup.asked import selection_of
from stewardd.rpc.backup.retention import repository_of
from stewardd.rpc.names import word_of
from stewardd.rpc.times import duration, timestamp

_LONGEST_NAME = 256
_LONGEST_URI = 4096
_MOST_ROLES = 1000
_MODES = {
    pb.RESTORE_MODE_UNSPECIFIED: RestoreMode.NEW_DATABASE,
    pb.RESTORE_MODE_NEW_DATABASE: RestoreMode.NEW_DATABASE,
    pb.RESTORE_MODE_SWAP: RestoreMode.SWAP,
    pb.RESTORE_MODE_IN_PLACE: RestoreMode.IN_PLACE,
}
_ROLES = {
    pb.RESTORE_ROLES_UNSPECIFIED: RestoreRoles.REQUIRED,
    pb.RESTORE_ROLES_REQUIRED: RestoreRoles.REQUIRED,
    pb.RESTORE_ROLES_CREATE: RestoreRoles.CREATE,
    pb.RESTORE_ROLES_IGNORE: RestoreRoles.IGNORE,
}
Phase = pb.RestoreBackupMetadata.Phase


def restore_request_of(spec: pb.RestoreSpec) -> RestoreRequest:
    """Returns what a restore is asked to do. Raises: InvalidRequest, also for what only a newer daemon knows."""
    if spec.mode not in _MODES:
        raise InvalidRequest(f"this daemon knows no mode of the number {spec.mode}", field="mode")
    if spec.roles not in _ROLES:
        raise InvalidRequest(
            f"this daemon knows no roles of the number {spec.roles}", field="roles"
        )
    if len(spec.role_map) > _MOST_ROLES:
        raise InvalidRequest(f"at most {_MOST_ROLES} roles are mapped", field="role_map")
    return RestoreRequest(
        backup_id=""
        if spec.dump_uri and not spec.backup
        else names.parse_uuid("backups", spec.backup),
        dump_uri=word_of(spec.dump_uri, field="dump_uri", longest=_LONGEST_URI),
        database=word_of(spec.database, field="database", longest=_LONGEST_NAME),
        mode=_MODES[spec.mode],
        new_database=spec.new_database,
        selection=selection_of(spec.selection),
        jobs=spec.jobs,
        roles=_ROLES[spec.roles],
        role_map=dict(spec.role_map),
        ends_sessions=spec.end_sessions,
        from_second=repository_of(spec.repository) is RepositoryName.SECOND,
        accepts_unknown_signer=spec.accept_unknown_signer,
    )


def restore_plan_message(plan: RestorePlan, last_elapsed_s: float | None) -> pb.RestorePlan:
    """Returns a plan as the contract has it."""
    dump = plan.dump
    return pb.RestorePlan(
        backup=_backup_name(dump.backup_id),
        database=plan.database,
        mode=pb.RestoreMode.Value(f"RESTORE_MODE_{plan.request.mode.value}"),
        live_database=plan.live,
        target_database=plan.target,
        kept_database=plan.kept,
        snapshot_time=timestamp(dump.snapshot_time) if dump.snapshot_time else None,
        source_version=dump.source_version,
        server_version=plan.server.version,
        tool_version=plan.tool_version,
        stored_size_bytes=dump.stored_size_bytes,
        dump_size_bytes=dump.dump_size_bytes,
        needed_bytes=dump.database_size_bytes,
        free_bytes=plan.server.free_bytes,
        tables=dump.tables,
        rows=dump.rows,
        missing_roles=plan.missing_roles,
        missing_extensions=plan.missing_extensions,
        sessions=plan.sessions,
        left_out=dump.left_out,
        last_elapsed=duration(last_elapsed_s) if last_elapsed_s is not None else None,
        confirmation=plan.confirmation,
        blockers=[
            pb.RestorePlan.Blocker(reason=each.reason, message=each.message, hint=each.hint)
            for each in plan.blockers
        ],
        dump_file=_dump_file(dump.file) if dump.file else None,
        not_proven=plan.not_proven,
    )


def restore_metadata(state: OperationState) -> pb.RestoreBackupMetadata:
    """Returns how far a restore has come. Raises: Corrupt."""
    standing = RESTORE_STANDING.from_json(state.metadata, names.operation(state.id))
    return pb.RestoreBackupMetadata(
        backup=_backup_name(standing.backup),
        database=standing.database,
        target_database=standing.target,
        phase=Phase.Value(f"PHASE_{standing.stage}"),
        read_bytes=standing.read_bytes,
        size_bytes=standing.size_bytes,
        compared_tables=standing.compared_tables,
        total_tables=standing.total_tables,
        create_time=timestamp(state.create_time),
        dump_uri=standing.dump_uri,
    )


def restore_response(
    state: OperationState, response: Mapping[str, Any]
) -> pb.RestoreBackupResponse:
    """Returns the restore that was made. Raises: Corrupt."""
    made = RESTORE_MADE.from_json(response, names.operation(state.id))
    return pb.RestoreBackupResponse(
        backup=_backup_name(made.backup),
        database=made.database,
        target_database=made.target,
        kept_database=made.kept,
        elapsed=duration(made.elapsed_s),
        compared_tables=made.compared_tables,
        compared_rows=made.compared_rows,
        not_compared=made.not_compared,
        created_roles=made.created_roles,
        left_out=made.left_out,
        dump_file=_dump_file(made.dump_file) if made.dump_file else None,
        restored_tables=made.restored_tables,
        not_proven=made.not_proven,
    )


def _backup_name(backup_id: str) -> str:
    return names.backup(backup_id) if backup_id else ""


def _dump_file(file: DumpFileRecord) -> pb.DumpFile:
    return pb.DumpFile(
        uri=file.uri,
        form=pb.DumpFile.Form.Value(f"FORM_{file.form.value}"),
        packing=pb.DumpFile.Packing.Value(f"PACKING_{file.packing.value}"),
        size_bytes=file.size_bytes,
        tool_version=file.tool_version,
        encoding=file.encoding,
        sha256=file.sha256,
    )
