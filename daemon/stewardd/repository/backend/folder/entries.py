"""What the folder backend does with one folder, given its descriptor: walk it, sync it, empty it.

Everything goes by descriptor and name, never by path, so that a folder swapped for a symbolic link meanwhile leads
nowhere. What bears a name that no key can have, and what is neither file nor folder, is not part of the repository.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime

from stewardd.repository.backend.keys import is_segment
from stewardd.repository.backend.store import ObjectMeta

_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def opened(name: str, parent: int | None) -> int:
    """Opens a folder, by its name in its parent, without following a symbolic link."""
    return os.open(name, _FLAGS, dir_fd=parent)


class OpenFolders:
    """The folders from a root down to the last one that was asked for, open until `close`.

    The next one that is asked for opens only what its way does not share with the last one's. A folder stays the same
    as long as anything is in it, so what is found by it is what would be found by its path.
    """

    def __init__(self, root: int) -> None:
        self._descriptors = [root]
        self._names: list[str] = []

    def down_to(self, segments: Sequence[str]) -> int:
        """Returns the descriptor of a folder, by the names on the way. Raises: OSError, as `opened`."""
        shared = 0
        for name, open_name in zip(segments, self._names, strict=False):
            if name != open_name:
                break
            shared += 1
        self._close_after(shared)
        for name in segments[shared:]:
            self._descriptors.append(opened(name, self._descriptors[-1]))
            self._names.append(name)
        return self._descriptors[-1]

    def close(self) -> None:
        """Closes all of them."""
        self._close_after(-1)

    def _close_after(self, depth: int) -> None:
        while len(self._descriptors) > depth + 1:
            os.close(self._descriptors.pop())
        del self._names[max(depth, 0) :]


def sync(chain: Sequence[int]) -> None:
    """Syncs a chain of folders, the deepest first.

    All of them, every time: a folder that is there may not have its entry on the disk yet, because the writer that
    made it has not synced it. Where nothing is new, a sync costs microseconds.
    """
    for descriptor in reversed(chain):
        os.fsync(descriptor)


def names(folder: int) -> list[str]:
    """The names of the folders in a folder, sorted."""
    with os.scandir(folder) as entries:
        return sorted(
            entry.name
            for entry in entries
            if is_segment(entry.name) and entry.is_dir(follow_symlinks=False)
        )


def walk(folder: int, prefix: str, start_after: str) -> Iterator[ObjectMeta]:
    """The files below a folder whose keys begin with `prefix`, sorted by key, from after `start_after`.

    Holds the names of the folders on the way, not those of the tree. A folder sorts as its name with the slash that
    follows it in a key: `a.csv` comes before `a/b`, because "." comes before "/".
    """
    with os.scandir(folder) as entries:
        found = sorted(
            entry.name + "/" * entry.is_dir(follow_symlinks=False)
            for entry in entries
            if is_segment(entry.name)
        )
    for name in found:
        key = prefix + name
        if key <= start_after and not (name.endswith("/") and start_after.startswith(key)):
            continue
        with suppress(FileNotFoundError):  # deleted since its folder was read
            if name.endswith("/"):
                yield from _walk_below(folder, name[:-1], key, start_after)
            else:
                status = os.stat(name, dir_fd=folder, follow_symlinks=False)
                if stat.S_ISREG(status.st_mode):
                    yield meta(key, status)


def _walk_below(parent: int, name: str, prefix: str, start_after: str) -> Iterator[ObjectMeta]:
    descriptor = opened(name, parent)
    try:
        yield from walk(descriptor, prefix, start_after)
    finally:
        os.close(descriptor)


def meta(key: str, status: os.stat_result) -> ObjectMeta:
    """What a listing says of a file."""
    return ObjectMeta(key, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))


def unlink(parent: int, name: str) -> int:
    """Removes a file; returns 1, the number of removed files."""
    os.unlink(name, dir_fd=parent)
    return 1


def remove(parent: int, name: str) -> int:
    """Removes a folder with all that is in it, symbolic links as links; returns how many files that were.

    A folder that another writer writes into meanwhile stays, with what was written.
    """
    descriptor = opened(name, parent)
    removed = 0
    try:
        with os.scandir(descriptor) as entries:
            found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
        for child, is_folder in found:
            with suppress(FileNotFoundError):
                removed += (remove if is_folder else unlink)(descriptor, child)
    finally:
        os.close(descriptor)
    try:
        os.rmdir(name, dir_fd=parent)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
    return removed


def prune(chain: Sequence[int], segments: Sequence[str]) -> int:
    """Removes the deepest folders of a chain as long as they are empty; returns the deepest that stays.

    `chain` begins with the root, which stays; `segments` are the names of those after it.
    """
    for depth in range(len(chain) - 1, 0, -1):
        try:
            os.rmdir(segments[depth - 1], dir_fd=chain[depth - 1])
        except OSError:
            return chain[depth]  # not empty, or made anew by another writer, who keeps it
    return chain[0]
