"""Where the embedded server's socket goes: a private folder whose path is short enough for a socket's address.

A socket's path holds 107 bytes (103 on macOS), so that the cluster's own folder serves unless it lies deep. Then a
folder in the system's place for temporary files is made, unguessable and 0700, and noted, so that the next start can
remove what a killed one left.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from pathlib import Path

from stewardd.postgres.cluster import Cluster

PORT = 5432  # only a part of the socket's name: the server listens on no network
_PATH_LIMIT_BYTES = 103
_PRIVATE = 0o700


def make_socket_folder(cluster: Cluster) -> Path:
    """Makes the folder, or makes sure of the one that is there: a server that is started again keeps its address."""
    folder = cluster.root / "socket"
    if fits(folder):
        cluster.make_private(folder)
        return folder
    noted = _noted(cluster)
    if noted is not None:
        return noted
    folder = Path(tempfile.mkdtemp(prefix="steward-"))
    _note(cluster).write_text(str(folder))
    cluster.make_private(folder)
    return folder


def remove_socket_folder(cluster: Cluster) -> None:
    """Removes the folder that was made outside the cluster's own, if one was. The server must be stopped."""
    noted = _noted(cluster)
    if noted is not None:
        shutil.rmtree(noted, ignore_errors=True)
    _note(cluster).unlink(missing_ok=True)


def fits(folder: Path) -> bool:
    """Whether the path of a socket in this folder is short enough to be an address."""
    return len(os.fsencode(folder / f".s.PGSQL.{PORT}")) <= _PATH_LIMIT_BYTES


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
