"""Reads what a CreateBackup asks for."""

from __future__ import annotations

from collections.abc import Sequence

from google.protobuf.duration_pb2 import Duration
from steward.v1 import backup_pb2 as pb

from stewardd.backup.asked import BackupAsked
from stewardd.backup.manifest.backup import CompressionMethod, DumpForm, ProofMode, Selection
from stewardd.errors import InvalidRequest

_MOST_NAMES = 1000
_FORMS = {
    pb.BACKUP_FORM_CUSTOM: DumpForm.CUSTOM,
    pb.BACKUP_FORM_DIRECTORY: DumpForm.DIRECTORY,
}
_COMPRESSIONS = {
    pb.BACKUP_COMPRESSION_ZSTD: CompressionMethod.ZSTD,
    pb.BACKUP_COMPRESSION_GZIP: CompressionMethod.GZIP,
    pb.BACKUP_COMPRESSION_NONE: CompressionMethod.NONE,
}
_PROOFS = {
    pb.BACKUP_PROOF_MODE_HASH: ProofMode.HASH,
    pb.BACKUP_PROOF_MODE_COUNT: ProofMode.COUNT,
    pb.BACKUP_PROOF_MODE_NONE: ProofMode.NONE,
}


def asked_of(request: pb.CreateBackupRequest) -> BackupAsked:
    """Returns the options of a request. Raises: InvalidRequest for what only a newer daemon knows."""
    for name, known in (("form", _FORMS), ("compression", _COMPRESSIONS), ("proof_mode", _PROOFS)):
        value = getattr(request, name)
        if value and value not in known:
            raise InvalidRequest(f"this daemon knows no {name} of the number {value}", field=name)
    return BackupAsked(
        selection=selection_of(request.selection),
        form=_FORMS.get(request.form),
        jobs=request.jobs,
        compression=_COMPRESSIONS.get(request.compression),
        compression_level=request.compression_level,
        proof=_PROOFS.get(request.proof_mode),
        recipients=tuple(request.recipients),
        with_globals=request.globals if request.HasField("globals") else None,
        lock_timeout_s=_seconds(request.lock_timeout) if request.HasField("lock_timeout") else None,
        max_duration_s=_seconds(request.max_duration) if request.HasField("max_duration") else None,
        max_bytes_per_second=request.max_bytes_per_second,
    )


def selection_of(chosen: pb.BackupSelection) -> Selection:
    """Returns the chosen parts of a database. Raises: InvalidRequest for too many."""
    return Selection(
        schemas=_names(chosen.schemas, "schemas"),
        exclude_schemas=_names(chosen.exclude_schemas, "exclude_schemas"),
        tables=_names(chosen.tables, "tables"),
        exclude_tables=_names(chosen.exclude_tables, "exclude_tables"),
    )


def _names(given: Sequence[str], member: str) -> tuple[str, ...]:
    if len(given) > _MOST_NAMES:
        raise InvalidRequest(
            f"a selection has at most {_MOST_NAMES} names", field=f"selection.{member}"
        )
    return tuple(given)


def _seconds(given: Duration) -> float:
    return given.seconds + given.nanos / 1e9
