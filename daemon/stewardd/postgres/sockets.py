"""Where the embedded server's socket goes: a private folder whose path can be the address of a socket.

A socket's path holds 107 bytes (103 on macOS), to PostgreSQL and libpq a comma ends one folder and begins another, and
some file systems hold no sockets. The cluster's own folder serves unless one of these is in the way. Then a folder in
the system's place for temporary files is made, unguessable and 0700, and noted, so that the next start can remove what
a killed one left.
"""

from __future__ import annotations

import os
import shutil
import socket
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from stewardd.errors import ConfigurationError
from stewardd.postgres.accounts import Account
from stewardd.postgres.cluster import Cluster

PORT = 5432  # only a part of the socket's name: the server listens on no network
_PATH_LIMIT_BYTES = 103
_PRIVATE = 0o700
_OTHER_PLACES = (Path("/run"), Path("/dev/shm"))  # noqa: S108  # for an unguessable 0700 folder in it


def make_socket_folder(cluster: Cluster) -> Path:
    """Makes the folder, or makes sure of the one that is there: a server that is started again keeps its address."""
    folder = cluster.root / "socket"
    if fits(folder):
        cluster.make_private(folder)
        if _holds_sockets(folder):
            return folder
    noted = _noted(cluster)
    if noted is not None:
        return noted
    folder = _made_elsewhere(cluster.root, cluster.account)
    _note(cluster).write_text(str(folder))
    cluster.make_private(folder)
    return folder


def check_socket_folder(root: Path, account: Account) -> None:
    """Looks whether a socket can lie in the folder of a cluster that is to be made, or elsewhere.

    Raises ConfigurationError, before anything is made.
    """
    if not fits(root / "socket"):
        _made_elsewhere(root, account).rmdir()


def remove_socket_folder(cluster: Cluster) -> None:
    """Removes the folder that was made outside the cluster's own, if one was. The server must be stopped."""
    noted = _noted(cluster)
    if noted is not None:
        shutil.rmtree(noted, ignore_errors=True)
    _note(cluster).unlink(missing_ok=True)


def fits(folder: Path) -> bool:
    """Whether the path of a socket in this folder can be an address: it is short, and names one folder."""
    return (
        "," not in str(folder)
        and len(os.fsencode(folder / f".s.PGSQL.{PORT}")) <= _PATH_LIMIT_BYTES
    )


def _holds_sockets(folder: Path) -> bool:
    """Whether the file system takes a socket: that of a shared folder may not."""
    path = folder / "trial"
    path.unlink(missing_ok=True)
    try:
        with socket.socket(socket.AF_UNIX) as trial:
            trial.bind(str(path))
    except OSError:
        return False
    path.unlink(missing_ok=True)
    return True


def _made_elsewhere(root: Path, account: Account) -> Path:
    """A folder of our own in the first place for temporary files that takes one, and that the account can pass through.

    Raises ConfigurationError.
    """
    for place in (_temporary_folder(), *_OTHER_PLACES):
        if place is None or not fits(place / "steward-12345678"):
            continue
        if account.lent and account.first_closed([*reversed(place.parents), place]) is not None:
            continue
        with suppress(OSError):
            folder = Path(tempfile.mkdtemp(prefix="steward-", dir=place))
            if _holds_sockets(folder):
                return folder
            folder.rmdir()
    raise ConfigurationError(
        f"the socket of the embedded server can lie neither in {root} (its path is over {_PATH_LIMIT_BYTES} bytes, "
        "holds a comma, or its file system takes no sockets) nor in a folder for temporary files",
        hint="choose a data folder with a short path without commas, or set TMPDIR to a folder that can be written",
    )


def _temporary_folder() -> Path | None:
    try:
        return Path(tempfile.gettempdir()).absolute()
    except FileNotFoundError:  # none that can be written
        return None


def _note(cluster: Cluster) -> Path:
    return cluster.root / "socket-folder"


def _noted(cluster: Cluster) -> Path | None:
    """The folder that the note names, if it is there and still private to the server."""
    try:
        folder = Path(_note(cluster).read_text())
        status = folder.lstat()
    except FileNotFoundError:
        return None
    ours = stat.S_ISDIR(status.st_mode) and status.st_uid == cluster.account.uid
    return folder if ours and stat.S_IMODE(status.st_mode) == _PRIVATE else None
