"""A page of docs/ as a test executes it: from top to bottom, in a folder of its own, against a real daemon.

What stands under a line that ends in "`NAME`:" is written to that file. Every line of a console block that begins
with $ is run, and must end with the exit code that its comment names, else with 0. A line that begins with `stewardd`
starts the page's daemon, or starts it again; one that begins with `kill` stops it. `batches/…` stands for the name
that was printed last, and so for backups and operations; `localhost:50551` for wherever the
daemon listens, `localhost:50552` for its HTTP port.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.command import run_command
from tests.support.daemon import Daemon

DOCS = Path(__file__).parents[2] / "docs"
ADDRESS = "localhost:50551"
WEB_ADDRESS = "localhost:50552"
COMMAND_TIMEOUT_S = 120
KINDS = ("batches", "backups", "operations")

_BLOCK = re.compile(
    r"(?:^(?P<before>[^\n]+)\n\n)?^```(?P<language>\w*)\n(?P<body>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
_FENCED = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
_FILE = re.compile(r"`([\w./-]+)`:$")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_NEEDS_SHELL = re.compile(r"[|<>&;$`*?\\#]")
_UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"


@dataclass(frozen=True, slots=True)
class File:
    """A file that the page has its reader write."""

    name: str
    content: str


@dataclass(frozen=True, slots=True)
class Command:
    """A command as the page shows it, with the exit code that it must end with."""

    line: str
    exit_code: int


@dataclass(frozen=True, slots=True)
class Output:
    """What a command of the page printed."""

    line: str
    stdout: str
    stderr: str


def sections(text: str) -> dict[str, str]:
    """What stands below each heading of a page, until the next heading of any level."""
    without_blocks = _FENCED.sub(lambda block: "\0" * len(block[0]), text)
    headings = list(_HEADING.finditer(without_blocks))
    ends = [each.start() for each in headings[1:]] + [len(text)]
    return {each[1]: text[each.end() : end] for each, end in zip(headings, ends, strict=True)}


def steps(text: str) -> Iterator[File | Command]:
    """Yields what a page has its reader do, in order."""
    for block in _BLOCK.finditer(text):
        if block["language"] == "console":
            yield from commands(block["body"])
        elif named := _FILE.search(block["before"] or ""):
            yield File(named[1], block["body"])


def shown(text: str) -> list[str]:
    """The blocks of a page that name no language: what commands print, and shapes."""
    return [block["body"] for block in _BLOCK.finditer(text) if not block["language"]]


def commands(block: str) -> Iterator[Command]:
    """Yields the commands of a console block."""
    for line in block.replace("\\\n", "").splitlines():
        if line.startswith("$ "):
            command, _, comment = line[2:].partition("    # ")
            code = re.match(r"exit code (\d+)", comment)
            yield Command(command.strip(), int(code[1]) if code else 0)


def command_lines(page: str) -> list[str]:
    """The commands of a page that a walk runs and keeps: all but those that start the daemon."""
    return [
        step.line
        for step in steps((DOCS / page).read_text())
        if isinstance(step, Command) and not step.line.startswith("stewardd")
    ]


@dataclass
class Walk:
    """One walk through a page. `finished` holds what each command printed; `close` stops the daemon."""

    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    path: tuple[Path, ...] = ()
    finished: list[Output] = field(default_factory=list)
    daemon: Daemon | None = None
    names: dict[str, str] = field(default_factory=dict)

    def through(self, page: str) -> Walk:
        """Does all that a page says; fails at the first command that does not end as the page says."""
        self.folder.mkdir(exist_ok=True)
        self.folder.chmod(0o711)
        for step in steps((DOCS / page).read_text()):
            self.take(step)
        return self

    def through_section(self, page: str, heading: str) -> list[Output]:
        """Does what a page says below one heading, and returns what its commands printed."""
        before = len(self.finished)
        for step in steps(sections((DOCS / page).read_text())[heading]):
            self.take(step)
        return self.finished[before:]

    def take(self, step: File | Command) -> None:
        """Does one step of a page."""
        if isinstance(step, File):
            target = self.folder / step.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(step.content)
        elif step.line.startswith("stewardd") and step.exit_code == 0:
            self.start(*step.line.split()[1:])
        elif step.line.startswith("kill "):
            self.close()
        else:
            self.run(step)

    def start(self, *arguments: str) -> None:
        """Starts the daemon of the page; one that runs is stopped first."""
        self.close()
        self.daemon = Daemon(
            self.folder / "data", *arguments, environment=self.environment, cwd=self.folder
        ).start()

    def close(self) -> None:
        """Stops the daemon."""
        if self.daemon is not None:
            assert self.daemon.stop() == 0, self.daemon.text[-3000:]
            self.daemon = None

    def run(self, command: Command) -> None:
        """Runs one command as a shell does, and keeps what it printed."""
        address = self.daemon.address if self.daemon else ADDRESS
        programs = [*self.path, Path(sys.executable).parent]
        environment = {
            **os.environ,
            **self.environment,
            "STEWARD_SERVER": address,
            "STEWARD_ACTOR": "mia",
            "PATH": os.pathsep.join([*map(str, programs), os.environ["PATH"]]),
        }
        ended = self._ended(self._filled(command.line).replace(ADDRESS, address), environment)
        log = self.daemon.text[-3000:] if self.daemon else ""
        assert ended.returncode == command.exit_code, (
            f"{command.line}\n{ended.stdout}\n{ended.stderr}\n{log}"
        )
        self.finished.append(Output(command.line, ended.stdout, ended.stderr))
        for kind in KINDS:
            if found := re.search(f"{kind}/{_UUID}", ended.stdout):
                self.names[kind] = found[0]

    def _ended(self, line: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """Runs a line, by a shell where it is not a plain call of `steward`."""
        if line.startswith("steward ") and not _NEEDS_SHELL.search(line):
            words = shlex.split(line)[1:]
            return run_command(words, environment, self.folder, timeout_s=COMMAND_TIMEOUT_S)
        return subprocess.run(
            ["sh", "-c", line],
            cwd=self.folder,
            env=environment,
            check=False,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
        )

    def output(self, beginning: str) -> list[str]:
        """What the commands of this beginning printed to stdout, in order."""
        found = [each.stdout for each in self.finished if each.line.startswith(beginning)]
        assert found, f"no command begins with {beginning}"
        return found

    def _filled(self, line: str) -> str:
        for kind, name in self.names.items():
            identifier = name.partition("/")[2]
            line = line.replace(f"{kind}/…", name).replace(f"{kind}/*/…", f"{kind}/*/{identifier}")
        if self.daemon is not None and self.daemon.web_addresses:
            line = line.replace(WEB_ADDRESS, self.daemon.web_addresses[0])
        return line
