"""What the command says of backups that fail, what it sends for one, and of the keys. The database here is away."""

import json
import re

from steward.v1 import backup_pb2


def test_a_failed_operation_exits_3_with_its_reason(steward, server):
    operation = server.client.create_backup().wait(timeout_s=60)
    error = operation.state.error
    for verb in ("show", "wait", "watch"):
        ended = steward("operation", verb, operation.name)
        assert ended.returncode == 3
        assert f"{error.message} [DATABASE_DOWN]\n  next: {error.hint}" in ended.stderr
    listed = steward("operation", "list").stdout
    assert re.search(
        rf"^{operation.name} +failed +backup .*DATABASE_DOWN: {re.escape(error.message)}$",
        listed,
        re.MULTILINE,
    )


def test_every_option_of_a_backup_is_sent(steward, server):
    recipient = server.client.get_backup_keys().own_recipient
    done = steward(
        "backup", "create", "--schema", "a", "--schema", "b", "--exclude-schema", "c", "--table", "x.y",
        "--exclude-table", 'x."z.z"', "--form", "directory", "--jobs", "3", "--compression", "gzip", "--level", "7",
        "--proof", "count", "--recipient", recipient, "--no-globals", "--lock-timeout", "1.5", "--max-duration", "60",
        "--max-bytes-per-second", "1000000", "--no-wait",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (sent,) = server.of(backup_pb2.CreateBackupRequest)
    assert list(sent.selection.schemas) == ["a", "b"]
    assert list(sent.selection.exclude_schemas) == ["c"]
    assert list(sent.selection.tables) == ["x.y"]
    assert list(sent.selection.exclude_tables) == ['x."z.z"']
    assert (sent.form, sent.jobs) == (backup_pb2.BACKUP_FORM_DIRECTORY, 3)
    assert (sent.compression, sent.compression_level) == (backup_pb2.BACKUP_COMPRESSION_GZIP, 7)
    assert sent.proof_mode == backup_pb2.BACKUP_PROOF_MODE_COUNT
    assert list(sent.recipients) == [recipient]
    assert (sent.HasField("globals"), sent.globals) == (True, False)
    assert (sent.lock_timeout.ToMilliseconds(), sent.max_duration.ToSeconds()) == (1500, 60)
    assert sent.max_bytes_per_second == 1_000_000
    steward("backup", "create", "--no-wait")
    _, plain = server.of(backup_pb2.CreateBackupRequest)
    assert not plain.HasField("globals")
    assert not plain.HasField("lock_timeout")
    assert plain.form == backup_pb2.BACKUP_FORM_UNSPECIFIED


def test_the_keys_of_the_backups_are_shown_with_what_to_know_of_them(steward, noted):
    shown = steward("backup", "key", "show")
    assert shown.returncode == 0
    assert "there is no other copy" in " ".join(shown.stdout.split())
    found = json.loads(steward("backup", "key", "show", "--output", "json").stdout)
    assert found["own_identity_file"] == str(noted.data_dir / "keys" / "backup-identity.txt")
