"""Opens a file that a caller names by URI, and never a file outside of the configured roots.

A name is percent-encoded as in any URI. Characters that are no escape (a blank, `+`, a lone `%`, a letter of any
language) may be written as they are; `?` and `#` have to be encoded. Files and objects of a bucket have the same rules.

The path is walked from its root one component at a time with O_NOFOLLOW relative to the folder opened before, so that
neither `..`, nor a symbolic link, nor a folder swapped during the walk leads outside. Links are refused even where
they would stay inside: a check of the target would be the race that the walk avoids.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from stewardd.errors import UriRefused

FIELD = "open.uri"
BUCKETS = frozenset({"s3", "s3a", "az", "azure", "abfs", "abfss", "gs"})
ENCODING_HINT = "percent-encode the name: ? is written %3F, # is %23, and a % before two hexadecimal digits is %25"


def open_uri(uri: str, roots: Sequence[Path]) -> int:
    """Returns a descriptor of the regular file that `uri` names, open for reading; the caller closes it.

    Raises: UriRefused where it is no `file:///…` URI (RFC 8089), outside the roots, behind a link, missing, or no
    regular file.
    """
    path = _path_of(uri)
    for root in roots:
        real_root = root.resolve()
        for base in (root, real_root):
            if path.is_relative_to(base):
                return _walk(real_root, path.relative_to(base).parts)
    raise UriRefused("the uri is outside the daemon's roots", field=FIELD)


def name_below(uri: str, root: str) -> str | None:
    """Returns the name below `root`, a prefix of a bucket, of the object that `uri` names; None where it is elsewhere.

    Raises: UriRefused for a query or a fragment, for `..` and for bytes that are not UTF-8.
    """
    bucket, path = _bucket_and_path(uri)
    root_bucket, root_path = _bucket_and_path(root)
    if bucket != root_bucket:
        return None
    if "?" in path or "#" in path:
        raise UriRefused("the uri's path holds ? or #", field=FIELD, hint=ENCODING_HINT)
    try:
        name = unquote(path, errors="strict")
    except UnicodeDecodeError:
        raise UriRefused("the uri's path is no UTF-8", field=FIELD, hint=ENCODING_HINT) from None
    if ".." in name.split("/"):
        raise UriRefused("the uri's path leads upwards", field=FIELD)
    prefix = f"{unquote(root_path)}/" if root_path else ""
    return name.removeprefix(prefix) if name.startswith(prefix) else None


def _bucket_and_path(uri: str) -> tuple[str, str]:
    """Splits without urlsplit, which would drop blanks and line ends; a name may hold them."""
    scheme, _, rest = uri.partition("://")
    bucket, _, path = rest.partition("/")
    return f"{scheme.lower()}://{bucket}", path


def _path_of(uri: str) -> Path:
    try:
        parts = urlsplit(uri)
    except ValueError:
        raise UriRefused("the uri cannot be parsed", field=FIELD) from None
    if parts.scheme in BUCKETS:
        raise UriRefused("the uri is outside the daemon's roots", field=FIELD)
    if (
        parts.scheme != "file"
        or parts.netloc not in ("", "localhost")
        or parts.query
        or parts.fragment
    ):
        raise UriRefused("the uri is not of the form file:///path", field=FIELD)
    text = unquote(parts.path, errors="surrogateescape")
    path = Path(text)
    if "\0" in text or not path.is_absolute() or ".." in path.parts:
        raise UriRefused("the uri's path is not absolute and plain", field=FIELD)
    return path


def _walk(root: Path, parts: Sequence[str]) -> int:
    if not parts:
        raise UriRefused("the uri names a root, not a file below it", field=FIELD)
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        folder = os.open(root, os.O_DIRECTORY | os.O_CLOEXEC)
        for part in parts[:-1]:
            below = _open_below(folder, part, flags | os.O_DIRECTORY)
            os.close(folder)
            folder = below
        # O_NONBLOCK: a named pipe must be refused, not waited for.
        file = _open_below(folder, parts[-1], flags | os.O_NONBLOCK)
    except OSError as error:
        raise UriRefused(
            f"the uri's file cannot be opened: {os.strerror(error.errno or 0).lower()}", field=FIELD
        ) from None
    os.close(folder)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise UriRefused("the uri names no regular file", field=FIELD)
    return file


def _open_below(folder: int, name: str, flags: int) -> int:
    try:
        return os.open(name, flags, dir_fd=folder)
    except OSError:
        os.close(folder)
        raise
