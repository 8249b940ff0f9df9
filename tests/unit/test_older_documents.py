"""Documents as earlier versions wrote them, to the byte: they stay readable."""

import json
from typing import Any

import pytest
from stewardd.backup.manifest.contents import BACKUP_CONTENTS
from stewardd.backup.manifest.first_version import FIRST_MANIFEST
from stewardd.backup.prune_operation import PRUNE_PROGRESS
from stewardd.backup.restoring.documents import RESTORE_MADE, RESTORE_STANDING
from stewardd.backup.restoring.unfinished import UNFINISHED_RESTORE
from stewardd.batches.manifest import BATCH_MANIFEST
from stewardd.operations.state import REQUEST_CODEC, RESULT_CODEC
from stewardd.quarantine.log.changes import CHANGE_CODEC, HISTORY_CODEC
from stewardd.quarantine.log.checkpoint import CHECKPOINT_CODEC, SUMMARY_CODEC
from stewardd.quarantine.log.commits import COMMIT_CODEC
from stewardd.repository.claims import ANSWER_CODEC, ATTEMPT_CODEC
from stewardd.repository.document import Codec
from stewardd.repository.identity import IDENTITY_CODEC
from stewardd.repository.liveness import DEATH_CODEC, HEARTBEAT_CODEC
from stewardd.repository.log import HEAD_CODEC
from stewardd.repository.publication import INTENT_CODEC

ID = "019aabcd-0000-7000-8000-000000000000"
DAEMON = "5e1c4c4e-0d5a-4f43-8a3c-6d5a0f1f2b3c"
OWNER = f'{{"daemon_id":"{DAEMON}","incarnation":"{ID}"}}'
TIME = "2026-11-27T08:00:00.000000+00:00"
FILE = '{"name":"records.jsonl","size_bytes":700,"crc32c":12}'
MOVED = '{"name":"records.jsonl","size_bytes":700,"crc32c":12,"at":"changes/d/i/records.jsonl"}'
COMMIT = (
    f'{{"format":1,"id":"{ID}","kind":"KIND","time":"{TIME}","actor":"mia","reason":"",'
    '"rows":0,"first":0,"last":0,"resolved_rows":0,"discarded_rows":0'
)
CHANGE = (
    '"row":7,"state":0,"attempt":1,"version":"1.0","cells":{"rating":"2"},'
    '"errors":[{"field":"rating","message":"too large","value":"2","keyword":"maximum"}]'
)
EXPORT = (
    f'{{"identifier":"{ID}","commit":2,"actor":"mia","cursor":"c","after":0,"resolved_rows":1,'
    f'"valid_rows":0,"request":"","time":"{TIME}"}}'
)

OLDER: dict[str, tuple[Codec[Any], str]] = {
    "a batch manifest from before columns were compared": (
        BATCH_MANIFEST,
        (
            f'{{"format":1,"batch_id":"{ID}","schema":"s","schema_version":"1.0","source_file":"a.csv",'
            '"uri":"","request_id":"","create_time":"2026-11-27T08:00:00+00:00","elapsed_s":0.5,'
            '"total_rows":3,"valid_rows":2,"quarantined_rows":1,"recovered_rows":0,'
            '"errors_by_field":{"rating":1},"errors_by_keyword":{"maximum":1},"unknown_columns":[],'
            '"size_bytes":90,"crc32c":7,"delimiter":",","encoding":"utf-8","compression":"none",'
            f'"files":[{FILE}]}}'
        ),
    ),
    "progress of a restore from before dump files were restored": (
        RESTORE_STANDING,
        (
            f'{{"backup":"{ID}","database":"main","target":"t","stage":"RESTORING","read_bytes":1,"size_bytes":2,'
            '"compared_tables":0,"total_tables":3}'
        ),
    ),
    "result of a restore from before dump files were restored": (
        RESTORE_MADE,
        (
            f'{{"backup":"{ID}","database":"main","target":"t","kept":"","elapsed_s":0.5,"compared_tables":1,'
            '"compared_rows":3,"not_compared":[],"created_roles":[],"left_out":[]}'
        ),
    ),
    "contents of a backup from before the catalogue was stored": (
        BACKUP_CONTENTS,
        (
            '{"version":1,"form":"custom","method":"md5-64-sum",'
            '"tables":[{"schema":"public","name":"people","rows":3,"hash":"-12"}],'
            '"sequences":[{"schema":"public","name":"s","last_value":7,"is_called":true}],'
            '"large_objects":{"count":0,"hash":null},"files":[]}'
        ),
    ),
    "a backup manifest of version 1": (
        FIRST_MANIFEST,
        (
            f'{{"version":1,"format":"pg_dump custom, zstd frame per segment","backup_id":"{ID}",'
            f'"database":"main","description":"","snapshot_time":"{TIME}","create_time":"{TIME}",'
            f'"elapsed_s":60,"database_size_bytes":8,"dump_size_bytes":5,"dump_sha256":"{"a" * 64}",'
            '"server_version":"18.6","tool_version":"18.6","segments":[{"name":"segment-000000",'
            f'"size_bytes":4,"sha256":"{"b" * 64}"}}],"stored_size_bytes":4}}'
        ),
    ),
    "an operation": (
        REQUEST_CODEC,
        (
            '{"kind":"CreateBackup","metadata":{"phase":"QUEUED"},'
            f'"owner":{OWNER},"create_time":"{TIME}"}}'
        ),
    ),
    "a result without a hint": (
        RESULT_CODEC,
        (
            f'{{"time":"{TIME}","metadata":{{}},'
            '"error":{"reason":"TOOL_FAILED","message":"it ended","hint":null}}'
        ),
    ),
    "a heartbeat": (
        HEARTBEAT_CODEC,
        f'{{"daemon_id":"{DAEMON}","incarnation":"{ID}","ttl_s":60,"host":"h","pid":1}}',
    ),
    "a death": (DEATH_CODEC, f'{{"said_at":"{TIME}"}}'),
    "a pruning from before there were two repositories": (
        PRUNE_PROGRESS,
        '{"database":"main","deleted":3}',
    ),
    "an unfinished restore from before it named its new roles": (
        UNFINISHED_RESTORE,
        f'{{"version":1,"time":"{TIME}","database":"main","name":"app_restored"}}',
    ),
    "a name": (IDENTITY_CODEC, f'{{"daemon_id": "{DAEMON}", "machine_id": "", "inode": 7}}'),
    "an attempt that names nothing": (
        ATTEMPT_CODEC,
        f'{{"fingerprint":"f","owner":{OWNER},"resource":null,"manifest_key":null}}',
    ),
    "an answer": (ANSWER_CODEC, f'{{"resource":"{ID}"}}'),
    "an intent": (INTENT_CODEC, '{"action":"publish"}'),
    "what was given up": (HEAD_CODEC, f'{{"id":"{ID}","kind":"given-up","of":"{ID}"}}'),
    "an export from before purges were counted": (
        COMMIT_CODEC,
        COMMIT.replace("KIND", "export") + ',"export":{"cursor":"c","after":0,"resolved_rows":1,'
        '"valid_rows":0,"request":""}}',
    ),
    "a purge": (
        COMMIT_CODEC,
        COMMIT.replace("KIND", "purge") + f',"data":true,"rewrite":{{"files":[{MOVED}],'
        f'"has_history":false,"exports":[{EXPORT}],"resolved_rows":1,"discarded_rows":0,'
        '"archives":[],"facts":{"purged":{"resolved":3}}},"removes":["records.jsonl"]}',
    ),
    "a change": (CHANGE_CODEC, f"{{{CHANGE}}}"),
    "an event": (
        HISTORY_CODEC,
        f'{{{CHANGE},"commit":3,"time":"{TIME}","actor":"","action":"retry","reason":""}}',
    ),
    "the counts of a checkpoint": (
        SUMMARY_CODEC,
        f'{{"number":64,"resolved_rows":1,"discarded_rows":0,"files":[{MOVED}]}}',
    ),
    "the rest of a checkpoint": (
        CHECKPOINT_CODEC,
        (
            f'{{"spans":[[1,"{ID}",7,9,false]],"exports":[{EXPORT}],"history":null,"rewritten":0,'
            '"archives":[]}'
        ),
    ),
}


@pytest.mark.parametrize("name", OLDER)
def test_a_document_of_an_earlier_version_is_read_as_it_stands(name):
    codec, text = OLDER[name]
    written = json.loads(codec.encode(codec.decode(text.encode(), name)))
    kept = {key: value for key, value in json.loads(text).items() if value is not None}
    for key in kept.keys() & written.keys():
        if not key.endswith("time") and key not in ("exports", "rewrite", "export", "error"):
            assert written[key] == kept[key]
    assert kept.keys() <= written.keys() | {"format", "version"}
