"""Where the embedded server's socket goes: a private folder whose path is short enough for a socket's address.

A socket's path holds 107 bytes (103 on macOS), so that the cluster's own folder serves unless it lies deep. Then a
folder in the system's place for temporary files is made, unguessable and 0700, and noted, so that the next start can
remove what a killed one left.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from stewardd.postgres.cluster import Cluster

PORT = 5432  # only a part of the socket's name: the server listens on no network
_PATH_LIMIT_BYTES = 103


def make_socket_folder(cluster: Cluster) -> Path:
    """Makes the folder, or makes sure of the one that is there."""
    remove_socket_folder(cluster)
    folder = cluster.root / "socket"
    if fits(folder):
        cluster.make_private(folder)
        return folder
    folder = Path(tempfile.mkdtemp(prefix="steward-"))
    _note(cluster).write_text(str(folder))
    cluster.make_private(folder)
    return folder


def remove_socket_folder(cluster: Cluster) -> None:
    """Removes the folder that was made outside the cluster's own, if one was. The server must be stopped."""
    note = _note(cluster)
    try:
        folder = Path(note.read_text())
    except FileNotFoundError:
        return
    if folder.is_dir() and folder.lstat().st_uid in (cluster.account.uid, os.geteuid()):
        shutil.rmtree(folder, ignore_errors=True)
    note.unlink()


def fits(folder: Path) -> bool:
    """Whether the path of a socket in this folder is short enough to be an address."""
    return len(os.fsencode(folder / f".s.PGSQL.{PORT}")) <= _PATH_LIMIT_BYTES


def _note(cluster: Cluster) -> Path:
    return cluster.root / "socket-folder"
