"""Which keys there are: plain segments with slashes between them, short enough for every backend.

Keys of the repository are made by code, so one that is not plain is a bug and no input. For the objects of a bucket
that steward did not name, only what a path may hold is checked.
"""

from __future__ import annotations

import re

MAX_KEY_BYTES = 1000  # S3 and Azure allow 1024, of which the URL's prefix takes some
MAX_SEGMENT_BYTES = 200  # a local file name may have 255
MAX_FOREIGN_BYTES = 1024  # of S3, Azure and Google

_SEGMENT = re.compile(r"[A-Za-z0-9._=-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def key_segments(key: str) -> list[str]:
    """Splits a key. Raises: ValueError unless every segment is plain."""
    segments = key.split("/")
    for segment in segments:
        if not is_segment(segment):
            raise ValueError(f"not a key of the repository: {key!r}")
    if len(key) > MAX_KEY_BYTES:
        raise ValueError(f"a key of {len(key)} bytes is over {MAX_KEY_BYTES}")
    return segments


def prefix_segments(prefix: str) -> list[str]:
    """Splits a prefix; "" is the root, and one closing slash is allowed. Raises: ValueError."""
    folder = prefix.removesuffix("/")
    return key_segments(folder) if folder else []


def is_segment(name: str) -> bool:
    """Whether a name may be a segment of a key; a backend's own files bear names that may not."""
    return (
        _SEGMENT.fullmatch(name) is not None
        and name not in (".", "..")
        and len(name) <= MAX_SEGMENT_BYTES
    )


def foreign_segments(name: str) -> list[str]:
    """Splits the name of an object that steward did not name. Raises: ValueError for what no path may hold."""
    segments = name.split("/")
    if any(each in ("", ".", "..") or _CONTROL.search(each) for each in segments):
        raise ValueError("a name holds an empty part, a dot, two dots or a control character")
    if len(name.encode()) > MAX_FOREIGN_BYTES:
        raise ValueError(f"a name is over {MAX_FOREIGN_BYTES} bytes")
    return segments
