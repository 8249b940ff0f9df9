"""The other commands, as somebody runs them."""

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import click
import pytest
from steward.v1 import backup_pb2, system_pb2
from steward_client import Client, __version__
from steward_client.command import main
from steward_client.command.root import root

from tests.unit.client.contract_server import ContractServer
from tests.unit.client.contract_state import status

COMMANDS = [
    "validate", "batch list", "batch show", "batch download", "quarantine list", "quarantine show", "quarantine stats",
    "quarantine export", "quarantine exports", "quarantine correct", "quarantine discard", "quarantine resubmit",
    "quarantine retry", "quarantine purge", "quarantine erase", "schema list", "schema show", "schema detect",
    "backup create", "backup list", "backup show", "backup delete", "backup undelete", "backup pin", "backup prune",
    "backup key show", "payload validate",
    "backup key generate", "operation list", "operation show", "operation wait",
    "operation watch", "operation cancel", "db list", "db show", "db breaker reset", "db breaker open", "health",
    "schedule create", "schedule list", "schedule show", "schedule pause", "schedule resume", "schedule delete",
    "completion",
]  # fmt: skip


@pytest.mark.parametrize(
    "command",
    [
        "",
        "batch",
        "quarantine",
        "schema",
        "backup",
        "schedule",
        "db",
        "db breaker",
        "operation",
        *COMMANDS,
    ],
)
def test_every_help_has_an_example_and_the_shared_options(capsys, command):
    assert main([*command.split(), "--help"]) == 0
    shown = capsys.readouterr().out
    assert f"Example:\n  {'eval' if command == 'completion' else 'steward'}" in shown
    assert "--server ADDRESS" in shown
    assert "--output [table|json]" in shown


def test_the_list_of_commands_is_whole():
    def verbs(group: click.Group, before: str = "") -> set[str]:
        found = set()
        for name, command in group.commands.items():
            if isinstance(command, click.Group):
                found |= verbs(command, f"{before}{name} ")
            else:
                found.add(f"{before}{name}")
        return found

    assert verbs(root) == set(COMMANDS)


def test_the_version(steward):
    assert steward("--version").stdout == f"steward, version {__version__}\n"


@pytest.fixture
def batch(client):
    return client.validate_file(
        b"id,rating,extra\na,0.5,\nb,7,\nc,8,\n", keep_valid_rows=True, source_file="n.csv"
    )


def test_batches_are_listed_and_shown(steward, batch):
    assert batch.name in steward("batch", "list").stdout
    listed = json.loads(steward("batch", "list", "--output", "json").stdout)
    assert [each["name"] for each in listed["batches"]] == [batch.name]
    shown = steward("batch", "show", batch.name)
    assert "n.csv: 2 of 3 rows in quarantine" in shown.stdout
    assert "unknown columns, kept and not judged: extra" in shown.stdout
    assert "valid.csv" in shown.stdout
    assert (
        json.loads(steward("batch", "show", batch.name, "--output", "json").stdout)["total_rows"]
        == 3
    )


def test_an_empty_list_says_how_to_begin(steward):
    assert "steward validate FILE" in steward("batch", "list").stdout
    assert "steward backup create" in steward("backup", "list").stdout
    assert json.loads(steward("backup", "list", "--output", "json").stdout) == {"backups": []}
    assert steward("operation", "list").returncode == 0


def test_the_limit_of_a_list_holds(steward, client):
    for _ in range(3):
        client.validate_file(b"id\n1\n")
    assert (
        len(
            json.loads(steward("batch", "list", "--limit", 2, "--output", "json").stdout)["batches"]
        )
        == 2
    )


def test_files_of_a_batch_are_downloaded(steward, server, batch, tmp_path):
    ended = steward("batch", "download", batch.name, "--to", "out")
    assert ended.returncode == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "report.json",
        "errors.csv",
        "valid.csv",
    }
    one = steward("batch", "download", batch.name, "valid.csv", "--output", "json")
    assert json.loads(one.stdout)["files"][0]["path"] == "valid.csv"
    assert (tmp_path / "valid.csv").read_bytes() == b"id,rating,extra\na,0.5,\n"
    missing = steward("batch", "download", batch.name, "nothing.csv")
    assert missing.returncode == 3
    assert "it has: report.json, errors.csv, valid.csv" in missing.stderr


def test_quarantined_rows_are_shown(steward, batch):
    shown = steward("quarantine", "show", batch.name, "--limit", 1)
    assert "rating   maximum   7" in shown.stdout
    assert "these are the first 1" in shown.stdout
    lines = steward("quarantine", "show", batch.name, "--output", "json").stdout.splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["row_number"] for row in rows] == [2, 3]
    assert rows[0]["cells"][0] == {"column": "id", "value": "b"}
    assert rows[0]["raw_row"] == "b,7,"


def test_a_row_that_is_no_text_is_given_in_base64(steward, server, batch):
    server.rows[batch.name][0].raw_row = b"\xff,7,"
    row = json.loads(
        steward("quarantine", "show", batch.name, "--output", "json").stdout.splitlines()[0]
    )
    assert (row["raw_row"], row["raw_row_base64"]) == (None, "/yw3LA==")


def test_schemas_are_listed_and_shown(steward):
    assert "note   1.0       csv    2025-01-01" in steward("schema", "list").stdout
    assert json.loads(steward("schema", "list", "--output", "json").stdout)["schemas"][0][
        "columns"
    ][0] == {
        "name": "id",
        "required": True,
        "pii": False,
    }
    assert "personal data" in steward("schema", "show", "note").stdout
    assert json.loads(steward("schema", "show", "note", "1.0", "--document").stdout) == {
        "type": "object"
    }
    assert json.loads(steward("schema", "show", "note", "--output", "json").stdout)["document"] == {
        "type": "object"
    }


@pytest.mark.parametrize(
    "content",
    [
        b"id,rating,extra\n1,2,3\n",
        b"\xef\xbb\xbfid;rating;extra\r\n1;2;3\r\n",
        b'"id"\t rating\t"extra"\n',
        b"id|rating|extra\r1|2|3",
        "id,rating,extra\n1,2,3\n".encode("utf-16"),
        gzip.compress(b"id,rating,extra\n" + os.urandom(3_000_000)),
        b"id,rating,extra\n\xff\xfe\xfd,1,2\n",
        b"sep=;\nid;rating;extra\n",
        b'\xef\xbb\xbf"sep=|"\r\nid|rating|extra\r\n',
        b"sep=\t\nid\trating\textra\n",
    ],
)
def test_a_header_is_read_and_its_schema_told(steward, tmp_path, content):
    (tmp_path / "f.csv").write_bytes(content)
    ended = steward("schema", "detect", "f.csv", "--output", "json")
    told = json.loads(ended.stdout)
    # Names are sent as they stand; how they count the daemon says.
    assert [name.strip() for name in told.pop("columns")] == ["id", "rating", "extra"]
    assert told == {
        "file": "f.csv",
        "schema": "schemas/note/versions/1.0",
        "unknown_columns": ["extra"],
        "missing_optional_columns": [],
        "similar_columns": {},
    }
    assert "note 1.0" in steward("schema", "detect", "f.csv").stdout


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"x" * 200_000, id="long"),
        b"\x1f\x8b\x08\x00 broken, not gzip at all",
        b"",
        b"\n\n",
        b"\x28\xb5\x2f\xfd....",
        b"\xff,\xff\n",
        b"rating\n",
    ],
)
def test_a_header_that_cannot_be_told_exits_3(steward, tmp_path, content):
    (tmp_path / "f.csv").write_bytes(content)
    ended = steward("schema", "detect", "f.csv")
    assert ended.returncode == 3
    assert "next: " in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_backup_is_made_listed_and_shown(steward):
    made = steward("backup", "create", "--description", "first")
    assert made.returncode == 0
    assert "backups/0" in made.stdout
    assert "first" in steward("backup", "list").stdout
    assert (
        json.loads(steward("backup", "show", "backups/0", "--output", "json").stdout)["description"]
        == "first"
    )
    missing = steward("backup", "show", "9", "--output", "json")
    assert missing.returncode == 3
    assert json.loads(missing.stdout)["error"]["reason"] == "BACKUP_NOT_FOUND"


def test_every_option_of_a_backup_is_sent(steward, server):
    done = steward(
        "backup", "create", "--schema", "a", "--schema", "b", "--exclude-schema", "c", "--table", "x.y",
        "--exclude-table", 'x."z.z"', "--form", "directory", "--jobs", "3", "--compression", "gzip", "--level", "7",
        "--proof", "count", "--recipient", "age1x", "--no-globals", "--lock-timeout", "1.5", "--max-duration", "60",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    sent = server.backup_requests[-1]
    assert list(sent.selection.schemas) == ["a", "b"]
    assert list(sent.selection.exclude_schemas) == ["c"]
    assert list(sent.selection.tables) == ["x.y"]
    assert list(sent.selection.exclude_tables) == ['x."z.z"']
    assert (sent.form, sent.jobs) == (backup_pb2.BACKUP_FORM_DIRECTORY, 3)
    assert (sent.compression, sent.compression_level) == (backup_pb2.BACKUP_COMPRESSION_GZIP, 7)
    assert sent.proof_mode == backup_pb2.BACKUP_PROOF_MODE_COUNT
    assert list(sent.recipients) == ["age1x"]
    assert (sent.HasField("globals"), sent.globals) == (True, False)
    assert (sent.lock_timeout.ToMilliseconds(), sent.max_duration.ToSeconds()) == (1500, 60)
    steward("backup", "create")
    plain = server.backup_requests[-1]
    assert not plain.HasField("globals")
    assert not plain.HasField("lock_timeout")
    assert plain.form == backup_pb2.BACKUP_FORM_UNSPECIFIED


def test_the_keys_of_the_backups_are_shown_with_what_to_know_of_them(steward):
    shown = steward("backup", "key", "show")
    assert shown.returncode == 0
    assert "there is no other copy" in shown.stdout
    found = json.loads(steward("backup", "key", "show", "--output", "json").stdout)
    assert found["own_identity_file"] == "/data/keys/backup-identity.txt"


def test_a_key_is_made_for_its_owner_alone_and_never_over_another(steward, folder):
    file = folder / "identity.txt"
    made = steward("backup", "key", "generate", str(file), "--output", "json")
    assert made.returncode == 0
    text = file.read_text()
    assert json.loads(made.stdout)["recipient"] in text
    assert "AGE-SECRET-KEY-1" in text
    assert "AGE-SECRET-KEY-1" not in made.stdout + made.stderr
    assert file.stat().st_mode & 0o777 == 0o600
    again = steward("backup", "key", "generate", str(file))
    assert again.returncode == 2
    assert file.read_text() == text


def test_a_backup_that_is_not_waited_for_is_followed_by_its_operation(steward, server):
    server.backup_hold.clear()
    begun = json.loads(steward("backup", "create", "--no-wait", "--output", "json").stdout)
    assert (begun["name"], begun["done"]) == ("operations/0", False)
    assert "running" in steward("operation", "show", "operations/0").stdout
    assert "dumping, 2.0 KiB read" in steward("operation", "list").stdout
    late = steward("operation", "wait", "operations/0", "--timeout", "0.3")
    assert late.returncode == 3
    assert "DEADLINE_EXCEEDED" in late.stderr

    def finish() -> None:
        while not server.calls["WatchOperation"]:
            time.sleep(0.01)
        server.backup_hold.set()

    threading.Thread(target=finish).start()
    watched = steward("operation", "watch", "operations/0", "--output", "json")
    states = [json.loads(line) for line in watched.stdout.splitlines()]
    assert [state["done"] for state in states] == [False, True]
    assert states[0]["progress"]["phase"] == "dumping"
    assert states[1]["response"]["name"] == "backups/0"
    assert steward("operation", "wait", "operations/0").returncode == 0


def test_a_failed_operation_exits_3_with_its_reason(steward, server):
    server.backup_hold.clear()
    steward("backup", "create", "--no-wait")
    server.fail(
        "operations/0", status("INTERNAL", "TOOL_FAILED", "pg_dump ended badly", "see the log")
    )
    for verb in ("show", "wait", "watch"):
        ended = steward("operation", verb, "operations/0")
        assert ended.returncode == 3
        assert "pg_dump ended badly [TOOL_FAILED]\n  next: see the log" in ended.stderr


def test_an_operation_is_cancelled(steward, server):
    server.backup_hold.clear()
    steward("backup", "create", "--no-wait")
    assert steward("operation", "cancel", "operations/0").returncode == 0
    assert server.operations["operations/0"].done
    assert steward("operation", "cancel", "operations/9").returncode == 3


def test_ctrl_c_ends_the_waiting_and_not_the_backup(environment, server):
    server.backup_hold.clear()
    process = subprocess.Popen(
        [sys.executable, "-m", "steward_client.command", "backup", "create"],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not server.calls["WatchOperation"]:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "the backup goes on" in err
    assert "steward operation cancel operations/0" in err
    assert "Traceback" not in err
    assert not server.operations["operations/0"].done


def test_a_backup_that_takes_too_long_is_named_and_goes_on(steward, server):
    server.backup_hold.clear()
    ended = steward("backup", "create", "--timeout", "1", "--output", "json")
    assert ended.returncode == 3
    assert (
        "lost sight of operations/0, which may go on\n  next: steward operation wait operations/0"
        in ended.stderr
    )
    assert json.loads(ended.stdout)["error"]["code"] == "DEADLINE_EXCEEDED"
    assert not server.operations["operations/0"].done


def test_a_daemon_that_stops_is_told_in_our_words_alone(environment):
    with ContractServer() as going:
        going.backup_hold.clear()
        with Client(going.address) as client:
            client.create_backup()
        process = subprocess.Popen(
            [sys.executable, "-m", "steward_client.command", "operation", "wait", "operations/0"],
            env={**environment, "STEWARD_SERVER": going.address},
            stderr=subprocess.PIPE,
            text=True,
        )
        while not going.calls["WaitOperation"]:
            time.sleep(0.01)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 3
    assert all(line.startswith(("steward: ", "  next: ")) for line in err.splitlines()), err


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (system_pb2.HealthResponse.STATE_HEALTHY, 0),
        (system_pb2.HealthResponse.STATE_DEGRADED, 1),
        (system_pb2.HealthResponse.STATE_DOWN, 3),
    ],
)
def test_health_is_told_by_the_exit_code(steward, server, state, code):
    server.health.state = state
    database = server.health.components.add(name="database", state=state, detail="it is so")
    database.database.server_version = "18.1"
    database.database.embedded = True
    healthy = system_pb2.HealthResponse.STATE_HEALTHY
    server.health.components.add(name="repository", state=healthy).repository.free_bytes = 3 << 30
    server.health.components.add(name="backup", state=healthy).backup.last_backup = "backups/7"
    ended = steward("health")
    assert ended.returncode == code
    assert ("PostgreSQL 18.1 (embedded)" if code == 0 else "it is so") in ended.stdout
    assert "3.0 GiB free" in ended.stdout
    assert "last backups/7" in ended.stdout
    assert len(json.loads(steward("health", "--output", "json").stdout)["components"]) == 3


def test_a_notice_of_what_is_healthy_is_shown_and_costs_no_exit_code(steward, server):
    healthy = system_pb2.HealthResponse.STATE_HEALTHY
    server.health.state = healthy
    server.health.components.add(
        name="backup", state=healthy, detail="there is no backup yet"
    ).backup.running = 1
    ended = steward("health")
    assert ended.returncode == 0
    assert "1 running; there is no backup yet" in ended.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script_that_its_shell_takes(steward, environment, shell):
    script = steward("completion", shell).stdout
    assert "_STEWARD_COMPLETE" in script
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script, text=True, check=True)


def test_completion_completes_commands_and_options(steward, environment):
    environment.update(_STEWARD_COMPLETE="bash_complete", COMP_WORDS="steward ba", COMP_CWORD="1")
    assert steward().stdout == "plain,backup\nplain,batch\n"
    environment.update(COMP_WORDS="steward validate --va", COMP_CWORD="2")
    assert steward().stdout == "plain,--valid-out\n"


def test_completion_of_a_file_argument_is_left_to_the_shell(steward, environment):
    environment.update(
        _STEWARD_COMPLETE="bash_complete", COMP_WORDS="steward validate ./s", COMP_CWORD="2"
    )
    assert steward().stdout == "file,./s\n"
