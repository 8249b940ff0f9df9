"""The commands that need no daemon: help, version, keys, completion."""

import json
import shutil
import subprocess

import click
import pytest
from steward_client import __version__
from steward_client.command import main
from steward_client.command.root import root

COMMANDS = [
    "validate", "batch list", "batch show", "batch download", "quarantine list", "quarantine show", "quarantine stats",
    "quarantine export", "quarantine exports", "quarantine correct", "quarantine discard", "quarantine resubmit",
    "quarantine retry", "quarantine purge", "quarantine erase", "schema list", "schema show", "schema detect",
    "backup create", "backup list", "backup show", "backup delete", "backup undelete", "backup pin", "backup prune",
    "backup verify", "backup drill",
    "backup copy", "backup import", "backup restore", "backup key show", "backup key generate", "backup key rotate",
    "payload validate",
    "payload detect", "payload normalise", "migrate status", "migrate prove", "migrate up", "migrate down",
    "migrate baseline", "migrate repair", "migrate new", "migrate drift",
    "migrate lint", "operation list", "operation show",
    "operation wait", "operation watch", "operation cancel", "db list", "db show", "db breaker reset",
    "db breaker open", "health", "schema diagram",
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
