"""The embedded server's folder: made once, whole or not at all, and left alone from then on.

    <root>/            0710, the daemon's; the server's account may pass through
      password         0600, the superuser's, made here
      data/            0700, the server's: PGDATA; initdb works in data.new-…/ and the finished cluster is renamed
      log/             0700, the server's
      socket/          0700, the server's; elsewhere when the path is too long for a socket
      programs/        0750, a copy of the binaries where the server's account can't reach the installed ones

A killed initdb leaves data.new-…/, which is removed and made again, under another name: an initdb that outlived its
daemon must not write into the next one's. A data/ that isn't a cluster is never touched: it may be one that
somebody damaged, and it may be the only copy.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stewardd.errors import ConfigurationError, StorageFull, ToolFailed
from stewardd.excerpt import excerpt
from stewardd.postgres.accounts import Account
from stewardd.postgres.binaries import Binaries

SUPERUSER = "postgres"
_INITDB_TIMEOUT_S = 600.0  # it writes 40 MB and syncs them; a slow disk takes minutes
_SETTINGS_FILE = "steward.conf"
_INCLUDE = f"include_if_exists = '{_SETTINGS_FILE}'  # the daemon writes it anew at each start"
_SHELL_SPECIAL = frozenset("\"'`$\\")
_UNPRINTABLE = frozenset(
    {"Cc", "Cs", "Zl", "Zp"}
)  # control characters, bytes that are no UTF-8, line ends
_PATH_LIMIT_BYTES = 900  # PostgreSQL takes 1023, names of its own files included
_BUILTIN_LOCALES_FROM = 17
_ROOM_BYTES = 80 << 20  # a new cluster has 40 MB of files and 16 MB of write-ahead log


@dataclass(frozen=True, slots=True)
class Cluster:
    """The folder of one embedded server, and the account that the server runs under."""

    root: Path
    account: Account
    called: str = "the embedded server"
    """What errors call it."""
    is_kept: bool = True
    """Whether it outlives the daemon. One that does not is never synced to the disk."""

    @property
    def data(self) -> Path:
        """PGDATA."""
        return self.root / "data"

    @property
    def log(self) -> Path:
        """Where the server writes its log."""
        return self.root / "log"

    @property
    def programs(self) -> Path:
        """Where a copy of the binaries goes, if one is needed."""
        return self.root / "programs"

    def prepare(self) -> None:
        """Makes the folders and opens the daemon's own to the server's account, for passing through only.

        Raises ConfigurationError for a parent that the account can't pass: its mode is its owner's to change.
        """
        check_path(self.root)
        if self.account.lent:
            self._check_passable(self.root.parent.parent)  # before anything is made or changed
        self.root.mkdir(mode=0o700, exist_ok=True)
        if self.account.lent:
            for folder in (self.root.parent, self.root):
                _open_to_pass(folder, self.account)
            self._check_passable(self.root)
        self.make_private(self.log)
        if self.data.exists():
            self._check_data()
        else:
            check_room(self.root, self.called)

    def make_private(self, folder: Path) -> None:
        """Makes a 0700 folder that belongs to the server's account; one that is there must be just that."""
        folder.mkdir(mode=0o700, exist_ok=True)
        if self.account.lent and folder.lstat().st_uid != self.account.uid:
            os.chown(folder, self.account.uid, self.account.gid, follow_symlinks=False)
        folder.chmod(0o700)

    def password(self) -> str:
        """The superuser's password, made and stored at the first call.

        Raises ConfigurationError when the cluster is there and its password isn't.
        """
        path = self.root / "password"
        try:
            return path.read_text().strip()
        except FileNotFoundError:
            if self.data.exists():
                raise ConfigurationError(
                    f"the embedded server in {self.data} has lost its password file {path}",
                    hint="bring the file back; the cluster is of no use without it",
                ) from None
        made = secrets.token_urlsafe(32)
        self._write(path, f"{made}\n")
        return made

    def initialise(self, binaries: Binaries) -> None:
        """Makes the cluster, unless it is there. Blocks for seconds.

        Raises ToolFailed, StorageFull.
        """
        if self.data.exists():
            return
        new = self._new_data()
        password_file = self.root / "initdb-password"
        self._write(password_file, self.password(), owner=self.account)
        try:
            flags = [] if self.is_kept else ["--no-sync"]
            self._initdb(binaries, new, password_file, flags)
        finally:
            password_file.unlink(missing_ok=True)
        _append(new / "postgresql.conf", f"\n{_INCLUDE}\n", durably=self.is_kept)
        new.rename(self.data)
        if self.is_kept:
            _sync_folder(self.root)

    def copy(self, model: Cluster) -> None:
        """Makes the cluster as a copy of one that no server runs on, its password included. Blocks.

        Raises ToolFailed, StorageFull.
        """
        new = self._new_data()
        self._write(self.root / "password", f"{model.password()}\n")
        # The account makes the copy: what it writes belongs to it, and to nobody else.
        self._run("cp", ["cp", "-R", f"{model.data}/.", str(new)], self.account.launched_by(()))
        new.rename(self.data)

    def write_settings(self, settings: Mapping[str, str]) -> None:
        """Writes what the server reads at its next start."""
        lines = [f"{name} = '{_quoted(value)}'\n" for name, value in settings.items()]
        self._write(self.data / _SETTINGS_FILE, "".join(lines), owner=self.account)

    def major_version(self) -> int:
        """The major version that the cluster was made with."""
        return int((self.data / "PG_VERSION").read_text())

    def _write(self, path: Path, text: str, *, owner: Account | None = None) -> None:
        _write_private(path, text, owner, durably=self.is_kept)

    def _new_data(self) -> Path:
        """An empty folder that becomes the data; what a killed attempt left is removed."""
        for left in self.root.glob("data.new-*"):
            shutil.rmtree(left, ignore_errors=True)
        new = self.root / f"data.new-{secrets.token_hex(8)}"
        self.make_private(new)
        return new

    def _initdb(self, binaries: Binaries, new: Path, password_file: Path, flags: list[str]) -> None:
        argv = [
            binaries.program("initdb"),
            f"--pgdata={new}",
            f"--username={SUPERUSER}",
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--data-checksums",
            "--encoding=UTF8",
            *_locale_flags(binaries.major),
            "--no-instructions",
            *flags,
        ]
        self._run("initdb", argv, self.account)

    def _run(self, called: str, argv: list[str], account: Account) -> None:
        try:
            status, output = account.run(argv, timeout_s=_INITDB_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise ToolFailed(
                f"{called} did not end within {_INITDB_TIMEOUT_S:.0f} seconds"
            ) from None
        if status == 0:
            return
        if "No space left on device" in output:
            raise StorageFull(f"no room for {self.called} in {self.root}")
        raise ToolFailed(f"{called} ended with status {status}: {excerpt(output, limit=1000)}")

    def _check_passable(self, folder: Path) -> None:
        account = self.account.launched_by(())  # the network is nothing to this
        closed = account.first_closed(list(reversed([folder, *folder.parents])))
        if closed is not None:
            raise ConfigurationError(
                f"the account of {self.called}, {self.account.name!r}, cannot pass through the folder {closed}",
                hint=f"choose another data folder, or let that account through (chmod o+x {closed})",
            )

    def _check_data(self) -> None:
        if not (self.data / "PG_VERSION").is_file():
            raise ConfigurationError(
                f"{self.data} is there, and is no PostgreSQL cluster",
                hint="move it out of the way to have a new one made; nothing in it was touched",
            )
        owner = self.data.stat().st_uid
        if owner != self.account.uid:
            raise ConfigurationError(
                f"{self.data} belongs to account number {owner}, and the server would run as {self.account.name!r}",
                hint="name the account that made it in `postgres.embedded_user`, or run the daemon as that account",
            )


def _locale_flags(major: int) -> list[str]:
    """Text is compared by code point, and upper and lower case are Unicode's; by PostgreSQL itself from 17 on."""
    if major >= _BUILTIN_LOCALES_FROM:
        return ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    return ["--locale=C", "--lc-ctype=C.UTF-8"]


def check_path(root: Path) -> None:
    """Looks whether PostgreSQL and its tools can read a path. Raises ConfigurationError."""
    text = str(root)
    if _SHELL_SPECIAL & set(text):
        raise ConfigurationError(
            f"the folder {text!r} cannot hold the embedded server: pg_ctl hands its path to a shell",
            hint="choose a data folder without quotes, dollar signs and backslashes in its path",
        )
    if any(unicodedata.category(each) in _UNPRINTABLE for each in text):
        raise ConfigurationError(
            f"the folder {text!r} cannot hold the embedded server: PostgreSQL reads its path from a line of text",
            hint="choose a data folder whose path is plain UTF-8, without line breaks and control characters",
        )
    if len(os.fsencode(root)) > _PATH_LIMIT_BYTES:
        raise ConfigurationError(
            f"the folder {text[:80]!r}… cannot hold the embedded server: its path is over {_PATH_LIMIT_BYTES} bytes",
            hint="choose a data folder with a shorter path",
        )


def check_room(folder: Path, called: str) -> None:
    """Looks whether a new cluster has room in the file system of a folder. Raises ConfigurationError."""
    status = os.statvfs(folder)
    free_bytes = status.f_bavail * status.f_frsize
    if free_bytes < _ROOM_BYTES:
        raise ConfigurationError(
            f"no room for {called} in {folder}: {free_bytes >> 20} MiB are free, and a new one needs "
            f"{_ROOM_BYTES >> 20} MiB",
            hint="free room there, choose another data folder, or name a database in `postgres.databases`",
        )


def _open_to_pass(folder: Path, account: Account) -> None:
    """Adds "may pass" for the account's group, unless everybody may already; only to folders of the daemon's own."""
    status = folder.stat()
    if status.st_mode & 0o001:
        return
    if status.st_uid != os.geteuid():
        return  # not ours: left as it is, and judged by _check_passable
    os.chown(folder, -1, account.gid)
    folder.chmod((status.st_mode & 0o700) | 0o010)


def _write_private(path: Path, text: str, owner: Account | None, *, durably: bool) -> None:
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        if owner is not None and owner.lent:
            os.fchown(file.fileno(), owner.uid, owner.gid)
        file.write(text)
        file.flush()
        if durably:
            os.fsync(file.fileno())
    new.replace(path)
    if durably:
        _sync_folder(path.parent)


def _append(path: Path, text: str, *, durably: bool) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW), "w") as file:
        file.write(text)
        file.flush()
        if durably:
            os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "''")
