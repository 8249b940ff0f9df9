"""The guides' commands, executed as they stand there, one after the other, in a folder of their own."""

import csv
import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.daemon import Daemon

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/guides/spreadsheet.md").read_text()
SAMPLE = "language_session_1.1.csv"


def commands() -> list[tuple[str, int]]:
    """Every line of the console blocks that begins with $, and the exit code that its comment names, else 0."""
    blocks = re.findall(r"```console\n(.*?)```", GUIDE, re.DOTALL)
    lines = [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]
    found = []
    for line in lines:
        command, _, comment = line.partition("    # ")
        code = re.match(r"exit code (\d+)", comment)
        found.append((command.strip(), int(code[1]) if code else 0))
    return found


def records(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


@pytest.fixture(scope="module")
def done(session_folder):
    """The folder in which all was done, and what each command printed."""
    folder = session_folder / "guide"
    folder.mkdir()
    shutil.copy(ROOT / "examples" / SAMPLE, folder)
    (script,) = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    (folder / "edit.py").write_text(script)
    printed = []
    with Daemon(session_folder / "guide-data") as daemon:
        environment = {
            **os.environ,
            "STEWARD_SERVER": daemon.address,
            "STEWARD_ACTOR": "mia",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }
        batch = "batches/…"
        for command, expected in commands():
            ended = subprocess.run(
                ["sh", "-c", command.replace("batches/…", batch)],
                cwd=folder,
                env=environment,
                check=False,
                capture_output=True,
                text=True,
                timeout=120,
            )
            assert ended.returncode == expected, (
                f"{command}\n{ended.stdout}\n{ended.stderr}\n{daemon.text[-3000:]}"
            )
            batch = next(iter(re.findall(r"batches/[0-9a-f-]{36}", ended.stdout)), batch)
            printed.append((command, ended.stdout))
    return folder, printed


def output(done, beginning: str) -> list[str]:
    found = [text for command, text in done[1] if command.startswith(beginning)]
    assert found, beginning
    return found


def test_the_sheet_came_back_as_a_spreadsheet_writes_it_and_its_rows_moved_once(done):
    dry, first, again = output(done, "steward quarantine resubmit rows.csv")
    assert "nothing is changed; of 6 rows" in dry
    assert re.search(r"resolved +4\b", first)
    assert re.search(r"still invalid +2\b", first)
    assert re.search(r"resolved +0\b", again)
    assert re.search(r"left as they were +6\b", again)


def test_what_is_printed_in_the_guide_is_what_is_printed(done):
    shown = output(done, "steward quarantine show batches/… --field rating")[0]
    (block,) = re.findall(r"```\n(  Row.*?)```", GUIDE, re.DOTALL)
    for line in block.splitlines():
        assert line in shown


def test_the_history_says_who_did_what(done):
    (row,) = output(done, "steward quarantine show batches/… 908")
    assert re.search(r"mia +resubmit +resolved +1 .* rating: 1.7 → 1.00", row)


def test_every_good_row_came_once_and_in_the_order_of_the_file(done):
    folder = done[0]
    sample = (folder / SAMPLE).read_bytes()
    valid = [row["session_id"] for row in records((folder / "valid.csv").read_bytes())]
    first = [row["session_id"] for row in records((folder / "imported-1.csv").read_bytes())]
    second = [row["session_id"] for row in records((folder / "imported-2.csv").read_bytes())]
    assert len(first) == len(valid) + 5
    assert len(second) == 1
    assert set(valid) <= set(first)
    assert not set(first) & set(second)
    place = 0
    for each in (
        first
    ):  # an id may stand in the file twice; ValueError where one stands in none of what is left
        place = sample.index(b"\n" + each.encode() + b",", place) + 1
    assert not (folder / "new.csv").exists()
    _, nothing, _ = output(done, "steward quarantine export batches/… --cursor")
    assert "nothing is new for importer" in nothing


def test_the_counts_add_up(done):
    (stats,) = output(done, "steward quarantine stats")
    for word, number in (("resolved", "4"), ("discarded", "0"), ("open", "62"), ("all", "2,000")):
        assert re.search(rf"{word} +{number}\b", stats), word
