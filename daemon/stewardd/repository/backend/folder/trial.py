"""What a folder of the daemon's must be able to do, tried once at start, in a few milliseconds.

Create-once is a hard link, "my former self is dead" is a lock, durable is a synced file in a synced folder, and private
is a mode that the file system keeps. A file system that lacks one of these is named here, before anything is made;
later it would look like a repository that is down. The trial happens in a folder with a random name, so that several
daemons may try one folder at once, and leaves nothing behind.
"""

from __future__ import annotations

import errno
import fcntl
import os
import pwd
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from stewardd.errors import ConfigurationError

_NAME = "~trial-"  # "~" is in no key's segment: no listing shows it
_LEFT_AFTER_S = 3600.0
_BODY = bytes(64 * 1024)
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

_ROOM_HINT = "free room there, raise the quota, or choose another folder"
_OTHER_HINT = "choose a folder on a local file system such as ext4 or XFS"
_CAUSES: dict[int, tuple[str, str]] = {
    errno.ENOSPC: ("there is no room left", _ROOM_HINT),
    errno.EDQUOT: ("the quota is used up", _ROOM_HINT),
    errno.EROFS: (
        "its file system can only be read",
        "mount it for writing, or choose another folder",
    ),
    errno.ENAMETOOLONG: ("its path is too long", "choose a folder with a shorter path"),
    errno.ELOOP: ("its path goes round in symbolic links", "choose another folder"),
    errno.ESTALE: ("its mount is stale", "mount it again"),
    errno.EIO: ("the disk reports an error", "look at the disk below it"),
}


@dataclass(frozen=True, slots=True)
class _Folder:
    """The folder under trial, and what it is to the daemon: "data folder" or "repository's folder"."""

    path: Path
    role: str
    user: str

    def lacks(self, what: str, hint: str) -> ConfigurationError:
        """The refusal: the folder, what is wrong, what to do."""
        return ConfigurationError(f"the {self.role} {self.path} cannot be used: {what}", hint=hint)


def check_folder(path: Path, role: str, *, links: bool) -> list[Path]:
    """Makes the folder if it is not there, and tries what the daemon will need of it; `links` asks for hard links too.

    Returns the folders that were made, the outermost first, for `remove_made`.

    Raises: ConfigurationError with the folder, what it lacks, what to do. What was made for the trial is removed again.
    """
    folder = _Folder(path.absolute(), role, _user())
    made = _make(folder)
    try:
        _sweep(folder.path)
        _try(folder, links=links)
    except BaseException:
        remove_made(made)
        raise
    return made


def remove_made(made: list[Path]) -> None:
    """Removes folders that a trial made, as long as nothing stands in them."""
    for each in reversed(made):
        with suppress(OSError):
            each.rmdir()


def _make(folder: _Folder) -> list[Path]:
    """Makes the folder and those above it that are missing; returns what was made, the outermost first."""
    missing = [each for each in (folder.path, *folder.path.parents) if not os.path.lexists(each)]
    made: list[Path] = []
    try:
        for each in reversed(missing):
            with suppress(FileExistsError):
                each.mkdir(mode=0o700 if each == folder.path else 0o755)
                made.append(each)
        folder.path.stat()
    except OSError as error:
        remove_made(made)
        at = Path(str(error.filename or folder.path))
        raise _refusal(folder, error, at if at == folder.path else at.parent) from None
    if not folder.path.is_dir():
        raise folder.lacks(
            "it is a file and no folder", "move the file out of the way, or choose another folder"
        )
    return made


def _try(folder: _Folder, *, links: bool) -> None:
    place = folder.path / f"{_NAME}{secrets.token_hex(8)}"
    with _step(folder):
        place.mkdir(mode=0o700)
    try:
        descriptor = -1
        with _step(folder):
            descriptor = os.open(place / "file", _FLAGS, 0o600)
        try:
            _try_modes(folder, place, descriptor)
            _try_locks(folder, place, descriptor)
            with _step(folder):
                os.write(descriptor, _BODY)
                os.fsync(descriptor)
            if links:
                _try_links(folder, place)
        finally:
            os.close(descriptor)
        _try_renames(folder, place)
        _try_sync(folder, place)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    if place.exists():
        raise folder.lacks(
            "what is made in it cannot be removed again",
            "let the daemon's user delete there as well",
        )


def _try_modes(folder: _Folder, place: Path, descriptor: int) -> None:
    lack = folder.lacks(
        "its file system keeps no modes, so that others could read what is meant for the daemon alone",
        f"{_OTHER_HINT}; FAT, exFAT and many shares keep none",
    )
    try:
        os.fchmod(descriptor, 0o600)
        place.chmod(0o700)
    except OSError as error:
        if error.errno in _CAUSES:
            raise _refusal(folder, error, place) from None
        raise lack from None
    if (stat.S_IMODE(os.fstat(descriptor).st_mode) | stat.S_IMODE(place.stat().st_mode)) & 0o077:
        raise lack


def _try_locks(folder: _Folder, place: Path, descriptor: int) -> None:
    hint = f"{_OTHER_HINT}; an NFS mount needs its lock service (no `nolock`)"
    second = os.open(place / "file", os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise folder.lacks(
                f"its file system gives no locks ({_text(error)}), and two daemons could use it as one",
                hint,
            ) from None
        try:
            fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return
        raise folder.lacks("its file system gives one lock to two at once", hint)
    finally:
        os.close(second)


def _try_links(folder: _Folder, place: Path) -> None:
    hint = (
        "choose a folder on a file system with hard links, such as ext4, XFS or NFS, or a bucket; "
        "FAT, exFAT and many shares have none"
    )
    try:
        os.link(place / "file", place / "once", follow_symlinks=False)
    except OSError as error:
        if error.errno in _CAUSES:
            raise _refusal(folder, error, place) from None
        raise folder.lacks(
            f"its file system has no hard links ({_text(error)}), by which each object is created once",
            hint,
        ) from None
    try:
        os.link(place / "file", place / "once", follow_symlinks=False)
    except FileExistsError:
        return
    except OSError as error:
        raise _refusal(folder, error, place) from None
    raise folder.lacks("its file system links a second file to a name that is taken", hint)


def _try_renames(folder: _Folder, place: Path) -> None:
    with _step(folder):
        (place / "new").write_bytes(b"new")
        (place / "new").rename(place / "file")
        (place / "below").mkdir(mode=0o700)
        (place / "below").rename(place / "moved")
        names = set(os.listdir(place)) - {"once"}
        body = (place / "file").read_bytes()
    if names != {"file", "moved"} or body != b"new":
        raise folder.lacks("its file system does not show what was renamed in it", _OTHER_HINT)


def _try_sync(folder: _Folder, place: Path) -> None:
    descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno in _CAUSES:
            raise _refusal(folder, error, place) from None
        raise folder.lacks(
            f"its file system cannot write a folder to the disk ({_text(error)}), so that a power cut could undo what "
            "was acknowledged",
            _OTHER_HINT,
        ) from None
    finally:
        os.close(descriptor)


def _sweep(path: Path) -> None:
    """Removes what a trial left that was killed, long ago: another daemon may be at its own now."""
    with suppress(OSError):
        for each in path.glob(f"{_NAME}*"):
            if each.lstat().st_mtime < time.time() - _LEFT_AFTER_S:
                shutil.rmtree(each, ignore_errors=True)


@contextmanager
def _step(folder: _Folder) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _refusal(folder, error, folder.path) from None


def _refusal(folder: _Folder, error: OSError, at: Path) -> ConfigurationError:
    """The refusal for what the system says; `at` is the folder in which it happened."""
    number = error.errno or 0
    if number in (errno.EACCES, errno.EPERM):
        return folder.lacks(
            f"the user {folder.user} may not write in {at}{_owner(at)}",
            "run the daemon as that folder's owner, let this user write there, or choose another folder",
        )
    if number in (errno.ENOTDIR, errno.EEXIST):
        return folder.lacks(
            f"something on the way to it is no folder ({_first_file(folder.path)})",
            "move it out of the way, or choose another folder",
        )
    if number == errno.ENOENT:
        return folder.lacks(
            "it leads to a place that is not there", "correct the path, or mount what is missing"
        )
    what, hint = _CAUSES.get(number, (_text(error), _OTHER_HINT))
    return folder.lacks(what, hint)


def _first_file(path: Path) -> Path:
    parents = [path, *path.parents]
    return next(
        (each for each in reversed(parents) if os.path.lexists(each) and not each.is_dir()), path
    )


def _owner(at: Path) -> str:
    try:
        uid = at.stat().st_uid
    except OSError:
        return ""
    return f", which belongs to {_name(uid)}" if uid != os.geteuid() else ""


def _user() -> str:
    return _name(os.geteuid())


def _name(uid: int) -> str:
    try:
        return repr(pwd.getpwuid(uid).pw_name)
    except KeyError:  # containers run under numbers that have no name
        return f"number {uid}"


def _text(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
