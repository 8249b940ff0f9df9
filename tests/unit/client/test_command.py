"""The other commands, as somebody runs them."""

import json
import shutil
import signal
import subprocess
import sys
import threading
import time

import click
import pytest
from steward.v1 import backup_pb2
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
    "backup copy", "backup import", "backup key show", "backup key generate", "payload validate", "payload detect",
    "payload normalise", "migrate status", "migrate prove", "migrate up", "migrate down", "migrate baseline",
    "migrate repair", "migrate new", "operation list", "operation show", "operation wait",
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
        "backup key",
        "payload",
        "migrate",
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
