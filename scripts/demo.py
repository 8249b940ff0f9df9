"""The demo: a daemon on its own PostgreSQL, files validated, a row put right, a backup, its health; one line a step.

It works in a folder of its own that is removed at the end, talks to the daemon as a user would, through the command
`steward`, and leaves no process behind, however it ends.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path
from typing import Any

import psycopg

HERE = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
SAMPLES = sorted((HERE / "examples").glob("*.csv"))
START_TIMEOUT_S = 120
STOP_TIMEOUT_S = 90
SHOWN_ROWS = 4
A_RATING = 0.72
DATA = """
CREATE TABLE companies (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name varchar(255) NOT NULL);
CREATE TABLE visits (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  company uuid REFERENCES companies, at timestamptz);
INSERT INTO companies (name) SELECT 'Company ' || n FROM generate_series(1, 500) n;
INSERT INTO visits (company, at)
  SELECT id, timestamptz '2025-01-01' + make_interval(hours => n) FROM companies, generate_series(1, 40) n;
"""


class DemoFailed(Exception):
    """A step did not do what it should; the message is for the person who watches."""


def say(text: str = "") -> None:
    """Prints one step."""
    print(text, flush=True)


class Demo:
    """One run. `folder` is removed at the end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = f"unix:{folder / 'steward.sock'}"
        self.log = folder / "stewardd.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts the daemon and waits until it serves."""
        with self.log.open("wb") as log:
            arguments = ["--data-dir", str(self.folder / "data"), "--listen", self.address]
            self.process = subprocess.Popen(
                [sys.executable, "-m", "stewardd.main", *arguments],
                stderr=log,
                stdout=log,
                # No HTTP port: another daemon of this machine may have it.
                env={**os.environ, "STEWARDD_LOG__FORMAT": "json", "STEWARDD_WEB__LISTEN": ""},
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while '"serving"' not in self.log.read_text():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise DemoFailed(f"the daemon did not start:\n{self.log.read_text()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Stops the daemon, and its PostgreSQL with it."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise DemoFailed("the daemon did not stop when told to") from None

    def steward(self, *arguments: str, expected: tuple[int, ...] = (0,)) -> str:
        """Runs the command `steward` and returns what it printed."""
        done = subprocess.run(
            [BIN / "steward", "--server", self.address, *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode not in expected:
            raise DemoFailed(
                f"steward {' '.join(arguments)} ended with {done.returncode}:\n{done.stderr}"
            )
        return done.stdout

    def json(self, *arguments: str, expected: tuple[int, ...] = (0,)) -> Any:
        """Runs the command `steward` and returns its answer as JSON."""
        return json.loads(self.steward("--output", "json", *arguments, expected=expected))

    def fill_database(self) -> int:
        """Puts a little data into the embedded PostgreSQL, and returns how many rows."""
        os.environ["PGSERVICEFILE"] = str(self.folder / "data" / "pg_service.conf")
        with psycopg.connect("service=steward") as connection:
            connection.execute(DATA)
            row = connection.execute(
                "SELECT (SELECT count(*) FROM companies) + (SELECT count(*) FROM visits)"
            ).fetchone()
        assert row is not None
        return int(row[0])

    def show(self, *arguments: str) -> None:
        """Runs the command `steward` and prints what it printed."""
        say(textwrap.indent(self.steward(*arguments).rstrip(), "  "))

    def row_with_a_bad_rating(self, batch: str) -> str:
        """Finds a quarantined row that nothing else is wrong with."""
        shown = self.steward("--output", "json", "quarantine", "show", batch, "--field", "rating")
        for row in map(json.loads, shown.splitlines()):
            if [violation["field"] for violation in row["violations"]] == ["rating"]:
                return str(row["row_number"])
        raise DemoFailed(f"{batch} has no row of which the rating alone is wrong")

    def run(self) -> None:
        """Shows everything."""
        began = time.monotonic()
        say("starting stewardd on its own PostgreSQL …")
        self.start()
        say(f"  serving after {time.monotonic() - began:.1f} s")
        say(f"putting a little data into the database … {self.fill_database():,} rows")
        for sample in SAMPLES:
            say(f"\nvalidating {sample.name} …")
            say(
                textwrap.indent(self.steward("validate", str(sample), expected=(1,)).rstrip(), "  ")
            )
        newest = self.json("batch", "list")["batches"][0]["name"]
        say(f"\na few quarantined rows of {newest} …")
        shown = self.steward("quarantine", "show", newest, "--limit", str(SHOWN_ROWS))
        say(textwrap.indent(shown.rstrip(), "  "))
        row = self.row_with_a_bad_rating(newest)
        say(f"\nputting row {row} right, and making a sheet of the others …")
        self.show("quarantine", "correct", newest, row, f"rating={A_RATING}")
        self.show("quarantine", "export", newest, "--to", str(self.folder / "rows.csv"))
        say("\ncounting what is still open …")
        self.show("quarantine", "stats", newest)
        say("\nmaking a backup …")
        say(textwrap.indent(self.steward("backup", "create").rstrip(), "  "))
        say("\nasking for its health …")
        say(textwrap.indent(self.steward("health").rstrip(), "  "))
        say("\nstopping …")
        self.stop()


def next_steps() -> None:
    """Says what to try next."""
    say(
        "\nIt works. To try next:\n"
        "  make run                                        the daemon in the foreground\n"
        "  .venv/bin/steward validate examples/*.csv       in another terminal; --help says the rest\n"
        "  .venv/bin/steward validate FILE --valid-out OK.csv --output json\n"
        "  README.md, then ARCHITECTURE.md                 how it is made\n"
    )


def main() -> int:
    """Runs the demo; returns the exit code."""
    folder = Path(tempfile.mkdtemp(prefix="steward-demo-"))
    folder.chmod(0o711)  # as root, PostgreSQL runs under another user, who must pass through
    demo = Demo(folder)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        demo.run()
    except DemoFailed as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        demo.stop()
    next_steps()
    return 0


if __name__ == "__main__":
    sys.exit(main())
