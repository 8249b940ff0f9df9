"""pgBackRest, Debian's, beside ours, both on a server of PostgreSQL 15, for which Debian has its programs."""

import contextlib
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict
from stewardd.postgres.accounts import choose_account
from stewardd.postgres.target import DatabaseTarget

from benchmarks.backup.programs import NotThere, program

PROGRAMS = Path("/usr/lib/postgresql/15/bin")
_PORT = 5432
_SETTINGS = "-c listen_addresses= -c fsync=off -c shared_buffers=64MB -c max_wal_size=4GB"


@contextlib.contextmanager
def server() -> Iterator[tuple[DatabaseTarget, Path]]:
    """Run a server of PostgreSQL 15; yield where it is, and its data folder. Raises NotThere."""
    if not (PROGRAMS / "initdb").exists():
        raise NotThere("PostgreSQL 15 is not installed")
    account, password = choose_account(None), secrets.token_hex(8)
    home = Path(tempfile.mkdtemp(prefix="steward-bench-"))
    home.chmod(0o711)
    data, sockets = home / "data", home / "socket"
    for folder in (data, sockets):
        folder.mkdir(mode=0o700)
        if account.lent:
            os.chown(folder, account.uid, account.gid)
    password_file = home / "password"
    password_file.write_text(password)
    password_file.chmod(0o644)
    control = [str(PROGRAMS / "pg_ctl"), "-w", "-D", str(data)]
    try:
        _done(
            account.run(
                [str(PROGRAMS / "initdb"), "-D", str(data), "-U", "postgres", "-A", "scram-sha-256", "-N",
                 "-E", "UTF8", f"--pwfile={password_file}"],
                timeout_s=120,
            )
        )  # fmt: skip
        options = f"{_SETTINGS} -k {sockets}"
        _done(
            account.run([*control, "start", "-l", str(data / "log"), "-o", options], timeout_s=120)
        )
        conninfo = f"host={sockets} user=postgres dbname=postgres password={password}"
        yield DatabaseTarget("main", conninfo), data
        _done(account.run([*control, "stop", "-m", "fast"], timeout_s=120))
    finally:
        shutil.rmtree(home, ignore_errors=True)


class PgBackRest:
    """A stanza of its own: full backups with two processes, zstd level 1, encrypted."""

    def __init__(self, folder: Path, target: DatabaseTarget, data: Path) -> None:
        """Raises NotThere."""
        self._program = program("pgbackrest")
        reached = conninfo_to_dict(target.conninfo)
        self._environment = {"PATH": os.environ["PATH"], "PGPASSWORD": str(reached["password"])}
        self._options = [
            "--config=/dev/null", "--stanza=bench", f"--repo1-path={folder / 'repository'}",
            f"--log-path={folder}", f"--lock-path={folder}", f"--pg1-path={data}",
            f"--pg1-socket-path={reached['host']}", "--pg1-user=postgres", f"--pg1-port={_PORT}",
            "--log-level-console=error", "--log-level-file=off", "--log-level-stderr=error",
            "--repo1-cipher-type=aes-256-cbc",
        ]  # fmt: skip
        self._environment["PGBACKREST_REPO1_CIPHER_PASS"] = secrets.token_hex(16)
        self._run("stanza-create", "--no-online")

    def backup(self) -> None:
        """Make a full backup; the WAL that it needs is not archived, as no restore follows."""
        self._run(
            "backup", "--type=full", "--process-max=2", "--compress-type=zst", "--compress-level=1",
            "--no-archive-check", "--start-fast", "--repo1-retention-full=1",
        )  # fmt: skip

    def _run(self, *arguments: str) -> None:
        done = subprocess.run(
            [self._program, *self._options, *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise NotThere(f"it ends with {done.returncode}: {(done.stdout + done.stderr)[-300:]}")


def _done(found: tuple[int, str]) -> None:
    status, output = found
    if status:
        raise NotThere(f"PostgreSQL 15 does not run here: {output[-300:]}")
