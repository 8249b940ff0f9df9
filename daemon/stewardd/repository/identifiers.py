"""Identifiers that sort by the time of their making, and the keys that are made of them.

A thing's key begins `<kind>/<day>/<id>/`, where the id is a UUIDv7 (RFC 9562) and the day is the id's own, so that
the key of a thing follows from its name, and a sorted listing is an index by time. Clock and randomness come in as
arguments; nothing here reads them unless asked to.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

from stewardd.errors import InvalidRequest

_UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_SHAPE = "00000000-0000-0000-0000-000000000000"
_MAX_MILLISECONDS = (
    253_402_300_799_999  # the end of the year 9999, past which there is no day to write
)


def uuid7(
    clock: Callable[[], float] = time.time, entropy: Callable[[int], bytes] = os.urandom
) -> str:
    """Makes a UUIDv7: 48 bits of Unix milliseconds by `clock` (in seconds), 74 random bits."""
    milliseconds = int(clock() * 1000)
    if not 0 <= milliseconds <= _MAX_MILLISECONDS:
        raise ValueError(f"the clock is at {milliseconds} ms, which no identifier can hold")
    bits = milliseconds << 80 | int.from_bytes(entropy(10), "big")
    bits = bits & ~(0xF << 76) | 0x7 << 76  # the version
    bits = bits & ~(0x3 << 62) | 0x2 << 62  # the variant
    return str(UUID(int=bits))


def is_id(text: str) -> bool:
    """Whether a text is an identifier as `uuid7` writes them."""
    return _UUID7.fullmatch(text) is not None and _milliseconds(text) <= _MAX_MILLISECONDS


def created_at(identifier: str) -> datetime:
    """The moment, to the millisecond, at which an identifier was made. Raises: InvalidRequest unless it is one."""
    if not is_id(identifier):
        raise InvalidRequest(f"not an identifier: {identifier[:64]!r}")
    seconds, rest = divmod(_milliseconds(identifier), 1000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest * 1000)


def day_of(identifier: str) -> str:
    """The day, in UTC, under which an identifier's objects lie: YYYY-MM-DD. Raises: InvalidRequest."""
    return created_at(identifier).date().isoformat()


def folder_of(kind: str, identifier: str) -> str:
    """The folder of a thing, `<kind>/<day>/<id>`, without a closing slash. Raises: InvalidRequest."""
    return f"{kind}/{day_of(identifier)}/{identifier}"


def is_prefix(text: str) -> bool:
    """Whether an identifier can begin with a text.

    >>> is_prefix("019a7c3e-5b2"), is_prefix("019a7c3e5b2"), is_prefix("")
    (True, False, True)
    """
    return len(text) <= len(_SHAPE) and all(
        each == "-" if shape == "-" else each in "0123456789abcdef"
        for each, shape in zip(text, _SHAPE, strict=False)
    )


def days_of(prefix: str) -> tuple[str | None, str | None]:
    """The first and the last day whose identifiers can begin with a prefix; None: no end on this side."""
    first, last = (
        _milliseconds(prefix + _SHAPE[len(prefix) :].replace("0", each)) for each in "0f"
    )
    if first > _MAX_MILLISECONDS:
        return _day(_MAX_MILLISECONDS), None
    return _day(first), _day(last) if last <= _MAX_MILLISECONDS else None


def _day(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds // 1000, UTC).date().isoformat()


def _milliseconds(identifier: str) -> int:
    return int(identifier[:8] + identifier[9:13], 16)
