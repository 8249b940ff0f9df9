"""What --output json prints: the SDK's results with their own field names; docs/cli.md lists the shapes.

A time is RFC 3339 in UTC, an enum its lower-case word, a missing value null. Bytes are text where they are UTF-8,
else null with a further key `…_base64`. Everything beyond ASCII is escaped, so that no terminal is reached raw.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import Any

import click

from steward_client.errors import StewardError


def emit(value: object) -> None:
    """Prints one document, on several lines."""
    click.echo(json.dumps(shape(value), indent=2))


def emit_line(value: object) -> None:
    """Prints one document of a stream, on one line, at once."""
    click.echo(json.dumps(shape(value)))


def shape(value: object) -> Any:
    """Returns a result as JSON values."""
    if isinstance(value, StewardError):
        return _error(value)
    if is_dataclass(value) and not isinstance(value, type):
        return _members({each.name: getattr(value, each.name) for each in fields(value)})
    if isinstance(value, Mapping):
        return _members(value)
    if isinstance(value, list | tuple):
        return [shape(each) for each in value]
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return value.value if isinstance(value, Enum) else value


def _members(members: Mapping[str, object]) -> dict[str, Any]:
    shaped: dict[str, Any] = {}
    for name, value in members.items():
        if not isinstance(value, bytes):
            shaped[name] = shape(value)
            continue
        try:
            shaped[name] = value.decode("utf-8")
        except UnicodeDecodeError:
            shaped[name] = None
            shaped[f"{name}_base64"] = base64.b64encode(value).decode("ascii")
    return shaped


def _error(error: StewardError) -> dict[str, Any]:
    return {
        "code": error.code,
        "reason": error.reason,
        "message": error.message,
        "hint": error.hint,
        "metadata": error.metadata,
        "retry_after_s": error.retry_after_s,
        "field_violations": shape(error.field_violations),
    }
