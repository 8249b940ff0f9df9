"""Backups as messages of the contract."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from steward.v1 import backup_pb2

from stewardd.backup.creation import KEY_NOTICES
from stewardd.backup.keys.keyring import Keyring
from stewardd.backup.manifest.backup import BackupManifest, Selection, Source
from stewardd.backup.manifest.codec import BACKUP_MANIFEST
from stewardd.backup.progress import BACKUP_PROGRESS, BackupProgress
from stewardd.backup.proof import BackupProof, ProofState
from stewardd.backup.states import UNTOUCHED, NumberedState
from stewardd.errors import Corrupt
from stewardd.operations.state import OperationState
from stewardd.rpc import names
from stewardd.rpc.backup.verification import proof_message
from stewardd.rpc.times import duration, timestamp

Phase = backup_pb2.CreateBackupMetadata.Phase


def backup_message(
    manifest: BackupManifest,
    notices: tuple[str, ...] = (),
    state: NumberedState = UNTOUCHED,
    proof: BackupProof | None = None,
    purge_time: datetime | None = None,
) -> backup_pb2.Backup:
    """Returns a backup as the contract has it; `notices` are what a keyring says of it."""
    contents, happened = manifest.contents, state.state
    return backup_pb2.Backup(
        name=names.backup(manifest.backup_id),
        database=manifest.database,
        snapshot_time=timestamp(manifest.snapshot_time),
        create_time=timestamp(manifest.create_time),
        elapsed=duration(manifest.elapsed_s),
        dump_size_bytes=manifest.dump_size_bytes,
        stored_size_bytes=manifest.stored_size_bytes,
        server_version=manifest.server_version,
        tool_version=manifest.tool_version,
        dump_sha256=manifest.dump_sha256 or "",
        segments=[
            backup_pb2.Backup.Segment(size_bytes=segment.size_bytes, sha256=segment.sha256)
            for segment in manifest.segments
        ],
        description=manifest.description,
        form=_value(backup_pb2.BackupForm, manifest.form),
        compression=_value(backup_pb2.BackupCompression, manifest.compression.method),
        compression_level=manifest.compression.level,
        recipients=manifest.recipients,
        signer=manifest.signer,
        notices=notices,
        proof=_value(backup_pb2.BackupProof, proof.outcome if proof else ProofState.PENDING),
        proof_mode=_value(backup_pb2.BackupProofMode, manifest.proof),
        selection=_selection(manifest.selection),
        globals=_value(backup_pb2.BackupGlobals, manifest.globals),
        tables=contents.tables if contents else 0,
        rows=contents.rows if contents else 0,
        schema_sha256=manifest.schema_sha256 or "",
        source=_source(manifest.source),
        state=backup_pb2.Backup.STATE_DELETED
        if state.deleted
        else backup_pb2.Backup.STATE_COMPLETE,
        pinned=state.pinned,
        pin_note=happened.pin_note if happened else "",
        delete_time=_time(happened.delete_time) if happened else None,
        purge_time=_time(purge_time),
        replaces=names.backup(manifest.replaces) if manifest.replaces else "",
        verification=proof_message(proof) if proof is not None else None,
    )


def keys_message(keyring: Keyring) -> backup_pb2.BackupKeys:
    """Returns the public halves of the keys."""
    own = keyring.own_identity
    return backup_pb2.BackupKeys(
        recipients=keyring.recipients,
        readable=[each.recipient for each in keyring.identities],
        signer=keyring.signing_key.public_key,
        trusted_signers=sorted(keyring.trusted_signers),
        own_recipient=own[0] if own else "",
        own_identity_file=str(own[1]) if own else "",
        own_signing_file=str(keyring.own_signing_file or ""),
        notices=keyring.own_notices,
    )


def backup_metadata(state: OperationState) -> backup_pb2.CreateBackupMetadata:
    """Returns how far a backup has come. Raises: Corrupt."""
    progress = _progress(state)
    return backup_pb2.CreateBackupMetadata(
        backup=names.backup(progress.backup),
        database=progress.database,
        phase=Phase.Value(f"PHASE_{progress.phase}"),
        dumped_bytes=progress.dumped_bytes,
        stored_bytes=progress.stored_bytes,
        database_size_bytes=progress.database_size_bytes,
        create_time=timestamp(state.create_time),
        dumped_tables=progress.dumped_tables,
        total_tables=progress.total_tables,
        done_bytes=progress.done_bytes,
        total_bytes=progress.total_bytes,
        time_left=None if progress.time_left_s is None else duration(progress.time_left_s),
        warnings=progress.warnings,
        tool_output=progress.tool_output,
    )


def backup_response(state: OperationState, response: Mapping[str, Any]) -> backup_pb2.Backup:
    """Returns the backup that an operation made. Raises: Corrupt."""
    manifest = BACKUP_MANIFEST.from_json(response, names.operation(state.id))
    if manifest.backup_id != _progress(state).backup:
        raise Corrupt(f"{names.operation(state.id)} has another backup as its response")
    notices = KEY_NOTICES.from_json(response, names.operation(state.id)).notices
    return backup_message(manifest, notices)


def _value(kind: Any, word: StrEnum) -> Any:
    """The value of an enum of the contract that is called as a stored word, behind the enum's own name."""
    prefix = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind.DESCRIPTOR.name).upper()
    return kind.Value(f"{prefix}_{word.value.replace('-', '_').upper()}")


def _selection(selection: Selection) -> backup_pb2.BackupSelection:
    return backup_pb2.BackupSelection(
        schemas=selection.schemas,
        exclude_schemas=selection.exclude_schemas,
        tables=selection.tables,
        exclude_tables=selection.exclude_tables,
    )


def _source(source: Source) -> backup_pb2.Backup.Source:
    return backup_pb2.Backup.Source(
        encoding=source.encoding,
        locale_provider=source.locale_provider,
        collation=source.collation,
        character_type=source.character_type,
        locale=source.locale,
        in_recovery=source.in_recovery,
        checksum_failures=source.checksum_failures,
        extensions=[
            backup_pb2.Backup.Source.Extension(name=each.name, version=each.version)
            for each in source.extensions
        ],
    )


def _time(moment: datetime | None) -> Timestamp | None:
    return timestamp(moment) if moment is not None else None


def _progress(state: OperationState) -> BackupProgress:
    return BACKUP_PROGRESS.from_json(state.metadata, names.operation(state.id))
