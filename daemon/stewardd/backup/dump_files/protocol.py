"""The messages between the daemon and the worker that reads a dump file; worker/messages.py says how they travel."""

from __future__ import annotations

from dataclasses import dataclass

from stewardd.backup.restoring.documents import FileForm
from stewardd.backup.restoring.options import RestoreProgress
from stewardd.backup.worker.failure import WorkerFailed
from stewardd.backup.worker.messages import Messages
from stewardd.postgres.target import DatabaseTarget


@dataclass(frozen=True, slots=True)
class FileRestore:
    r"""Into which database a file is restored, and how; its repr shows no secret.

    `sha256` is what the file was when it was read before. `own_key` is that of the dump's own `\restrict`. `list_file`
    names the chosen entries of an archive, "" all of them; `staging` is an empty folder of its own.
    """

    form: FileForm
    sha256: str
    database: str
    conninfo: str
    program: str
    arguments: tuple[str, ...]
    settings: dict[str, str]
    own_key: str
    leaves_setting_out: bool
    list_file: str
    role_map: dict[str, str]
    staging: str
    reserve_bytes: int

    def __repr__(self) -> str:
        return f"FileRestore(form={self.form!r}, database={self.database!r})"


@dataclass(frozen=True, slots=True)
class DumpFileJob:
    """Reads a file to its end, and restores it where `restore` says so. Its repr shows no secret."""

    daemon_pid: int
    uri: str
    roots: tuple[tuple[str, dict[str, str]], ...]
    max_duration_s: float
    restore: FileRestore | None = None

    @property
    def called(self) -> str:
        """What errors call it."""
        if self.restore is None:
            return "the reading of the dump file"
        return f"the restore of the dump file into {self.restore.database!r}"

    @property
    def secrets(self) -> list[str]:
        """The passwords and keys in it, which no log line and no error may show."""
        found = [value for _, options in self.roots for value in options.values()]
        if self.restore is not None:
            found += DatabaseTarget(self.restore.database, self.restore.conninfo).secrets
        return found

    def __repr__(self) -> str:
        return f"DumpFileJob(uri={self.uri!r}, restore={self.restore!r})"


@dataclass(frozen=True, slots=True)
class FileExamined:
    """What the reading of a whole file found: see SqlFacts, whose members are empty for an archive."""

    form: FileForm
    sha256: str
    size_bytes: int
    dump_size_bytes: int
    server_version: str = ""
    tool_version: str = ""
    encoding: str = ""
    own_key: str = ""
    roles: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()
    tables: int = 0
    fits_transaction: bool = True
    sets_newer_setting: bool = False


@dataclass(frozen=True, slots=True)
class FileRestored:
    """It came to its end."""

    restored_tables: int
    read_bytes: int
    elapsed_s: float


FileEvent = RestoreProgress | FileExamined | FileRestored | WorkerFailed
MESSAGES: Messages[DumpFileJob, FileEvent] = Messages(
    DumpFileJob, (RestoreProgress, FileExamined, FileRestored, WorkerFailed)
)
