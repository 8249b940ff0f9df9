"""The examples of deploy/: systemd accepts the units, and every command in them is one that there is."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import click
import pytest
from steward_client.command.root import root
from stewardd.main import _parser

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").iterdir())


@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="the command systemd-analyze is not installed"
)
def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    """The programs stand elsewhere on this machine, and the user is not there: only that is put in their place."""
    for unit in UNITS:
        text = unit.read_text().replace("/opt/steward/bin/", "/usr/bin/env ")
        (tmp_path / unit.name).write_text(text.replace("=steward\n", "=root\n"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *map(str, sorted(tmp_path.iterdir()))],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
    )
    ours = [line for line in done.stderr.splitlines() if "steward" in line]
    assert (done.returncode, ours) == (0, []), done.stderr


def commands() -> list[str]:
    lines = [
        line
        for path in [*UNITS, *(DEPLOY / "cron").iterdir()]
        for line in path.read_text().splitlines()
        if not line.startswith("#")
    ]
    found = [re.search(r"/opt/steward/bin/(\S+ .*)", line) for line in lines]
    return [match[1] for match in found if match]


@pytest.mark.parametrize("line", commands())
def test_each_command_is_one_that_there_is(line: str) -> None:
    program, *words = shlex.split(line.partition(">")[0])
    if program == "stewardd":
        parsed = _parser().parse_args(words)
        assert parsed.config == Path("/etc/steward/steward.toml")
        return
    assert program == "steward"
    context = click.Context(root)
    command, rest = root.resolve_command(context, words)[1:]
    while isinstance(command, click.Group):
        command, rest = command.resolve_command(click.Context(command), rest)[1:]
    assert command is not None
    command.make_context("steward", list(rest), resilient_parsing=False)


def test_there_are_examples_of_both() -> None:
    assert len(commands()) == 3
    assert {each.suffix for each in UNITS} == {".service", ".timer"}
