"""Whatever one value of a stored document is changed to: it is read as what stands there, or the document is Corrupt.

The samples are what is stored; beside each stands what the daemon goes on to do with it. A kind without a sample fails.
"""

from __future__ import annotations

import copy
import importlib
import json
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
import stewardd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stewardd.backup import progress as backup_progress
from stewardd.backup.creation import KEY_NOTICES, KeyNotices
from stewardd.backup.manifest.codec import BACKUP_MANIFEST, SIGNED_MANIFEST
from stewardd.backup.manifest.contents import BACKUP_CONTENTS
from stewardd.backup.manifest.first_version import FIRST_MANIFEST
from stewardd.batches import manifest as batches
from stewardd.batches.file import BatchFile
from stewardd.batches.states import State
from stewardd.batches.summary import LogSummary
from stewardd.errors import Corrupt
from stewardd.operations import state as operations
from stewardd.quarantine import operations as quarantine_operations
from stewardd.quarantine.files import records as record
from stewardd.quarantine.files.payload_records import PAYLOAD_CODEC, read_payload_record
from stewardd.quarantine.finding import columns
from stewardd.quarantine.log import batch_state, changes, checkpoint, commits
from stewardd.quarantine.removing import archives
from stewardd.repository import claims, identity, liveness, log, publication
from stewardd.repository.document import MARK, Codec
from stewardd.repository.turns import TURN_CODEC, TurnDocument
from stewardd.rpc.backup.messages import backup_message
from stewardd.rpc.operations.messages import operation_message
from stewardd.rpc.quarantine.messages import export_message
from stewardd.rpc.validation.messages import batch_message
from stewardd.schemas.kinds import SchemaKind

from tests.support import backup_documents, backup_proofs, migration_documents, restore_documents
from tests.support.backup_manifests import backup, backup_contents, first_backup

ID = "019aabcd-0000-7000-8000-000000000000"
WHEN = datetime(2026, 11, 27, 8, 0, 0, 123000, UTC)
SHA = "ab" * 32
FILE = BatchFile("records.jsonl", 700, 12, "changes/x/records.jsonl")
CHANGES = (
    changes.Change(7, State.RESOLVED, 2, "1.1", {"rating": "1"}),
    changes.Change(
        9,
        State.OPEN,
        1,
        "1.0",
        None,
        (record.RowViolation("rating", "maximum", "must be at most 1", "2"),),
    ),
)
EXPORT = commits.Export(ID, 5, WHEN, "mia", "importer", 0, 2, 10, "hash")
OWNER = liveness.LeaseRef("5e1c4c4e-0d5a-4f43-8a3c-6d5a0f1f2b3c", ID)


def manifest() -> batches.BatchManifest:
    return batches.BatchManifest(
        batch_id=ID,
        kind=SchemaKind.PAYLOAD,
        strict=True,
        schema="language_session",
        schema_version="1.1",
        source_file="a.csv",
        uri="",
        request_id="r",
        create_time=WHEN,
        elapsed_s=1.5,
        total_rows=12,
        valid_rows=10,
        quarantined_rows=2,
        recovered_rows=0,
        errors_by_field={"rating": 2},
        errors_by_keyword={"maximum": 2},
        unknown_columns=("mood",),
        size_bytes=700,
        crc32c=4_000_000_000,
        delimiter=",",
        encoding="utf-8",
        compression="none",
        files=(FILE, BatchFile("errors.csv", 10, 3)),
        missing_optional_columns=("note",),
        similar_columns={"mod": "mood"},
    )


def commit(**fields: Any) -> commits.BatchCommit:
    return commits.BatchCommit(1, ID, changes.Action.CORRECT, WHEN, "mia", "because", **fields)


SMALL = commits.inline_commit(commit(), CHANGES)
EXPORTED = commit(export=commits.ExportFacts("importer", 0, 2, 10, "hash"))
REWRITTEN = commit(
    stored=True,
    rewrite=commits.Rewrite(
        files=(FILE,),
        has_history=True,
        exports=(EXPORT,),
        resolved_rows=1,
        discarded_rows=0,
        archives=("kept/x/rows.jsonl.zst",),
        facts={"subject": "hash"},
        removes=("records.jsonl", "checkpoint.bin"),
    ),
)
RECORD = {
    "rowNumber": 7,
    "lineNumber": 8,
    "byteOffset": 900,
    "rawData": {"rating": "2", "_extra": ["x"]},
    "errors": [{"field": "rating", "message": "must be at most 1", "value": "2", "keyword": "max"}],
    "quarantinedAt": "2026-11-27T08:00:00Z",
    "rawRow": "2,x",
    "recovered": True,
}
PAYLOAD = {**RECORD, "rawData": None, "rawRow": "{"}
del PAYLOAD["recovered"]


def _folds(body: bytes) -> None:
    stored = log.StoredCommit.read(1, body, "key")
    made = commits.read_commit(stored)
    state = batch_state.apply_commit(batch_state.BatchState(), made, made.changed_states())
    checkpoint.read_checkpoint(checkpoint.write_checkpoint(state))
    for each in state.exports:
        export_message(ID, each)
    for change in made.changes or ():
        changes.read_event_line(changes.write_event_line(made.event(change)))


def _operation(kind: str, metadata: dict[str, Any]) -> Callable[[bytes], None]:
    """What is done with the result of an operation of a kind that was begun with this metadata."""

    def use(body: bytes) -> None:
        request = operations.OperationRequest(kind, metadata, OWNER, WHEN)
        result = operations.RESULT_CODEC.decode(body, "key")
        operation_message(operations.fold(ID, request, None, result))

    return use


def _request(body: bytes) -> None:
    request = operations.REQUEST_CODEC.decode(body, "key")
    assert request.owner.heartbeat_key
    operation_message(operations.fold(ID, request, None, None))


PROGRESS = {"dry_run": True, "batches": 3, "rows": 40}
BACKUP_PROGRESS = backup_progress.BACKUP_PROGRESS.to_json(
    backup_progress.BackupProgress(ID, "main", backup_progress.BackupPhase.DUMPING, 1, 2, 3)
)
RETRIED = quarantine_operations.RetryResponse(2, 40, 30, 1, False)
PURGED = quarantine_operations.PurgeResponse(2, {"resolved": 3, "discarded": 4}, 900, False)
ERASED = quarantine_operations.EraseResponse(9, 1, 2, 3, 4, 5, "hash", True)


def _result(response: dict[str, Any]) -> bytes:
    return operations.RESULT_CODEC.encode(
        operations.OperationResult(WHEN, {"rows": 41}, response, None)
    )


@dataclass(frozen=True)
class Sample:
    """A stored document, and what is done with it beyond reading it."""

    name: str
    codec: Codec[Any]
    body: bytes
    use: Callable[[bytes], object] = bytes


def _sample(
    name: str, codec: Codec[Any], value: Any, use: Callable[[bytes], object] = bytes
) -> Sample:
    return Sample(name, codec, codec.encode(value), use)


FAILURE = operations.OperationFailure("TOOL_FAILED", "pg_dump ended", "look at it")
SAMPLES = [
    _sample(
        "batch manifest",
        batches.BATCH_MANIFEST,
        manifest(),
        lambda body: batch_message(batches.BATCH_MANIFEST.decode(body, "")),
    ),
    _sample(
        "backup manifest",
        BACKUP_MANIFEST,
        backup(),
        lambda body: backup_message(BACKUP_MANIFEST.decode(body, "")),
    ),
    _sample(
        "first backup manifest",
        FIRST_MANIFEST,
        first_backup(),
        lambda body: backup_message(SIGNED_MANIFEST.decode(body, "")),
    ),
    _sample("backup contents", BACKUP_CONTENTS, backup_contents()),
    _sample("turn", TURN_CODEC, TurnDocument(OWNER)),
    _sample("notices on keys", KEY_NOTICES, KeyNotices(("keep it",))),
    _sample(
        "backup progress",
        backup_progress.BACKUP_PROGRESS,
        backup_progress.BackupProgress(ID, "main"),
    ),
    _sample(
        "operation request",
        operations.REQUEST_CODEC,
        operations.OperationRequest("CreateBackup", BACKUP_PROGRESS, OWNER, WHEN),
        _request,
    ),
    _sample(
        "quarantine request",
        operations.REQUEST_CODEC,
        operations.OperationRequest("PurgeQuarantine", PROGRESS, OWNER, WHEN),
        _request,
    ),
    _sample(
        "operation progress",
        operations.PROGRESS_CODEC,
        operations.OperationProgress(WHEN, PROGRESS),
    ),
    Sample(
        "backup result",
        operations.RESULT_CODEC,
        operations.RESULT_CODEC.encode(
            operations.OperationResult(WHEN, BACKUP_PROGRESS, BACKUP_MANIFEST.to_json(backup()))
        ),
        _operation("CreateBackup", BACKUP_PROGRESS),
    ),
    *(
        _sample(*each)
        for documents in (
            backup_documents.DOCUMENTS,
            backup_proofs.DOCUMENTS,
            migration_documents.DOCUMENTS,
            restore_documents.DOCUMENTS,
        )
        for each in documents
    ),
    *(
        Sample(f"result of {kind}", operations.RESULT_CODEC, _result(made), _operation(kind, begun))
        for documents in (
            backup_documents.OPERATIONS,
            backup_proofs.OPERATIONS,
            migration_documents.OPERATIONS,
            restore_documents.OPERATIONS,
        )
        for kind, begun, made in documents
    ),
    Sample(
        "import result",
        operations.RESULT_CODEC,
        _result(BACKUP_MANIFEST.to_json(backup())),
        _operation("ImportBackup", {"backup": ID, "copied_bytes": 1, "size_bytes": 700}),
    ),
    Sample(
        "retry result",
        operations.RESULT_CODEC,
        _result(quarantine_operations.RETRY_RESPONSE.to_json(RETRIED)),
        _operation("RetryQuarantine", PROGRESS),
    ),
    Sample(
        "purge result",
        operations.RESULT_CODEC,
        _result(quarantine_operations.PURGE_RESPONSE.to_json(PURGED)),
        _operation("PurgeQuarantine", PROGRESS),
    ),
    Sample(
        "erase result",
        operations.RESULT_CODEC,
        _result(quarantine_operations.ERASE_RESPONSE.to_json(ERASED)),
        _operation("EraseSubject", PROGRESS),
    ),
    _sample(
        "failed result",
        operations.RESULT_CODEC,
        operations.OperationResult(WHEN, {}, None, FAILURE),
        _operation("CreateBackup", BACKUP_PROGRESS),
    ),
    _sample("cancel request", operations.CANCEL_CODEC, operations.CancelRequest(WHEN)),
    _sample(
        "quarantine progress",
        quarantine_operations.QUARANTINE_PROGRESS,
        quarantine_operations.QuarantineProgress(True, 1, 2),
    ),
    _sample("retry response", quarantine_operations.RETRY_RESPONSE, RETRIED),
    _sample("purge response", quarantine_operations.PURGE_RESPONSE, PURGED),
    _sample("erase response", quarantine_operations.ERASE_RESPONSE, ERASED),
    _sample(
        "heartbeat",
        liveness.HEARTBEAT_CODEC,
        liveness.HeartbeatDocument(OWNER.daemon_id, ID, 60.0, "host", 12),
    ),
    _sample("death", liveness.DEATH_CODEC, liveness.DeathDocument(WHEN)),
    _sample(
        "identity",
        identity.IDENTITY_CODEC,
        identity.IdentityDocument(OWNER.daemon_id, "machine", 7),
    ),
    _sample(
        "attempt",
        claims.ATTEMPT_CODEC,
        claims.AttemptDocument("f", OWNER, ID, f"batches/2025-11-22/{ID}/manifest.json"),
    ),
    _sample("answer", claims.ANSWER_CODEC, claims.AnswerDocument(ID)),
    _sample(
        "intent",
        publication.INTENT_CODEC,
        publication.IntentDocument(publication.IntentAction.APPEND),
    ),
    _sample("given up", log.HEAD_CODEC, log.CommitHead(ID, log.GIVEN_UP, of=ID), _folds),
    _sample(
        "commit head", log.HEAD_CODEC, log.CommitHead(ID, "purge", data=True, removes=("a/b",))
    ),
    Sample("small commit", commits.COMMIT_CODEC, commits.write_commit(SMALL), _folds),
    Sample("export commit", commits.COMMIT_CODEC, commits.write_commit(EXPORTED), _folds),
    Sample("rewriting commit", commits.COMMIT_CODEC, commits.write_commit(REWRITTEN), _folds),
    _sample("change", changes.CHANGE_CODEC, CHANGES[1]),
    Sample(
        "event",
        changes.HISTORY_CODEC,
        changes.write_event_line(SMALL.event(CHANGES[1])),
        changes.read_event_line,
    ),
    _sample("summary", checkpoint.SUMMARY_CODEC, LogSummary(3, 1, 1, (FILE,))),
    _sample(
        "checkpoint",
        checkpoint.CHECKPOINT_CODEC,
        checkpoint.CheckpointDocument(
            (batch_state.Span(1, ID, 7, 9, False),), (EXPORT,), ID, 0, ("kept/x",)
        ),
    ),
    Sample("record", record.RECORD_CODEC, json.dumps(RECORD).encode(), record.read_record),
    Sample("payload", PAYLOAD_CODEC, json.dumps(PAYLOAD).encode(), read_payload_record),
    _sample(
        "archived row",
        archives.ARCHIVE_CODEC,
        archives.ArchiveDocument(
            RECORD, "resolved", 1, (changes.history_document(SMALL.event(CHANGES[0])),)
        ),
    ),
    _sample("report", columns.REPORT_CODEC, columns.ReportDocument(("note",))),
]
# The description of a backup's format is for people, and the data of a payload stands in its text too.
UNREAD = {("payload", ("rawData",)), ("backup manifest", ("format",))}

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(
        ["12", "-1", "", "2026-11-27", "2026-11-27T08:00:00", ID, "../x", "a/b", "export"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
Path = tuple[str | int, ...]


def _paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """Where the values of a document stand."""
    if path:
        yield path
    items: Any = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for name, inner in items:
        yield from _paths(inner, (*path, name))


def _at(value: Any, path: Path) -> Any:
    """What stands there; None where it was left out."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else value[name]
        if value is None:
            return None
    return value


def _changed(found: Any, path: Path, value: Any) -> Any:
    changed = copy.deepcopy(found)
    _at(changed, path[:-1])[path[-1]] = value
    return changed


def _same(read: Any, written: Any) -> bool:
    """Whether a value is read as what stands there. A time may be written in another way."""
    if isinstance(read, str) and isinstance(written, str) and read != written:
        return datetime.fromisoformat(read) == datetime.fromisoformat(written)
    if isinstance(read, bool) is not isinstance(written, bool):
        return not read and not written  # left out
    return bool(read == written) or (not read and not written)


@settings(
    suppress_health_check=[HealthCheck.too_slow]
)  # the samples of JSON are slow to make on a busy machine
@given(st.data())
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_a_changed_value_is_read_as_what_stands_there_or_is_corrupt(
    sample: Sample, data: st.DataObject
) -> None:
    stored = json.loads(sample.body)
    path = data.draw(st.sampled_from(sorted(_paths(stored), key=str)))
    value = data.draw(JSON)
    body = json.dumps(_changed(stored, path, value)).encode()
    try:
        read = sample.codec.decode(body, "key")
        sample.use(body)
    except Corrupt:
        return
    if (sample.name, path) not in UNREAD:
        assert _same(_at(json.loads(sample.codec.encode(read)), path), value)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_a_document_comes_back_as_it_was_written(sample: Sample) -> None:
    sample.use(sample.body)
    read = sample.codec.decode(sample.body, "key")
    assert sample.codec.decode(sample.codec.encode(read), "key") == read
    for broken in (b"", b"{", b"[]", b"null", b"\xff", MARK[:-2], sample.body[:-3], b'"x"', b"1"):
        with pytest.raises(Corrupt, match="key"):
            sample.codec.decode(broken, "key")


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_what_a_newer_daemon_adds_is_left_alone(sample: Sample) -> None:
    read = sample.codec.decode(sample.body, "key")
    added = json.loads(sample.body) | {"added_later": {"x": 1}}
    assert sample.codec.decode(json.dumps(added).encode(), "key") == read


def test_every_codec_of_the_daemon_has_a_sample() -> None:
    codecs: dict[int, str] = {}
    for module in pkgutil.walk_packages(stewardd.__path__, "stewardd."):
        for name, value in vars(importlib.import_module(module.name)).items():
            if isinstance(value, Codec) and not name.startswith("_"):
                codecs.setdefault(id(value), f"{module.name}.{name}")
    for sample in SAMPLES:
        codecs.pop(id(sample.codec), None)
    assert not codecs.values()
