"""The small JSON objects that the repository itself keeps: manifests, intents, heartbeats, claims.

One way to write them and one to read them: UTF-8, compact, keys in the order given, a newline at the end. What cannot
be read back is Corrupt, by its key, and never an empty document.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from stewardd.errors import Corrupt


def encode(document: Mapping[str, Any]) -> bytes:
    """Writes a document."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode() + b"\n"


def decode(body: bytes, key: str) -> dict[str, Any]:
    """Reads the document that stands under `key`. Corrupt unless it is a JSON object."""
    try:
        document = json.loads(body)
    except ValueError:
        raise Corrupt(f"{key} is no JSON document") from None
    if not isinstance(document, dict):
        raise Corrupt(f"{key} is no JSON object")
    return document


def field(document: Mapping[str, Any], name: str, key: str) -> str:
    """A text that a document must have. Corrupt without it."""
    value = document.get(name)
    if not isinstance(value, str):
        raise Corrupt(f"{key} has no {name}")
    return value


def timestamp(moment: datetime) -> str:
    """A moment as RFC 3339 in UTC, with its offset; `datetime.fromisoformat` reads it."""
    return moment.isoformat(timespec="microseconds")
