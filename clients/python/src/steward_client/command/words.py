"""What the daemon and the SDK call a field, and what the command calls it: the one table, and how a message is put so.

A field's name is replaced where it cannot be a word of plain English: at the beginning of its violation's message, and
anywhere if it is written with an underscore. Of several options the one is taken that the running command has.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable

from steward_client.errors import FieldViolation, StewardError

OPTIONS: dict[str, tuple[str, ...]] = {
    "accept_recovered": ("--accept-recovered",),
    "actor": ("--actor",),
    "before": ("--before",),
    "cells": ("--cells", "COLUMN=VALUE"),
    "columns": ("the header of FILE",),
    "create_after": ("--since",),
    "create_before": ("--until", "--before"),
    "cursor": ("--cursor",),
    "cron": ("--cron",),
    "database": ("--database",),
    "delimiter": ("--delimiter",),
    "description": ("--description",),
    "email": ("the address",),
    "etag": ("--etag",),
    "field": ("--field",),
    "format": ("--format",),
    "include_unchanged": ("--include-unchanged",),
    "include_valid": ("--with-valid",),
    "interval": ("--every",),
    "jitter": ("--jitter",),
    "keep_valid_rows": ("--valid-out",),
    "keyword": ("--keyword",),
    "name": ("BATCH", "BATCH|EXPORT", "BACKUP", "OPERATION", "TYPE", "DATABASE", "SCHEDULE"),
    "note": ("--note",),
    "original_order": ("--original-order",),
    "page_size": ("--limit",),
    "parent": ("BATCH", "--batch"),
    "reason": ("--reason",),
    "request_id": ("--request-id",),
    "row_numbers": ("ROW",),
    "schema": ("--type", "TYPE"),
    "schema_version": ("--schema-version", "--to-version", "--type-version", "VERSION"),
    "source_file": ("--source-file", "--file"),
    "state": ("--state",),
    "states": ("--state",),
    "strict": ("--strict",),
    "time_zone": ("--time-zone",),
    "timeout_s": ("--timeout",),
    "top_values": ("--top",),
    "uri": ("FILE",),
}
"""By the field's own name, without what it stands in; the options that may give it, the likeliest first."""

_UNMISTAKABLE = re.compile(r"\b[a-z]+(?:_[a-z]+)+\b")
# What the SDK says to both: its own word, then the command's.
_FOR_THE_COMMAND = re.compile(r"\((?:[^();]*; )?for the command:? ([^()]*)\)")
# How the contract writes the name of a schema, which the command writes as TYPE, with its VERSION beside it.
_SCHEMA_FORM = re.compile(r"is not of the form schemas/.*")
_TYPE_FORM = "is not the name of a type, such as language_session, or of a version, such as 1.1"


def option(field: str, options: Iterable[str] = ()) -> str:
    """Returns what the command calls a field; the field's own name where it has no word for it.

    >>> option("open.request_id"), option("schema_version", {"--to-version"}), option("nothing")
    ('--request-id', '--to-version', 'nothing')
    """
    known = OPTIONS.get(field.rpartition(".")[2])
    if known is None:
        return field
    there = set(options)
    return next((each for each in known if each in there), known[0])


def told(message: str, violations: Iterable[FieldViolation], options: Iterable[str] = ()) -> str:
    """Returns a message in the words of the command.

    >>> told("schema is unknown", (FieldViolation("open.schema", ""),))
    '--type is unknown'
    >>> told("open.schema is not of the form a/b", (FieldViolation("open.schema", ""),))
    '--type is not of the form a/b'
    >>> told("open.schema is not of the form schemas/{schema}", (FieldViolation("open.schema", ""),))
    '--type is not the name of a type, such as language_session, or of a version, such as 1.1'
    >>> told("include_valid and original_order go with the CSV", ())
    '--with-valid and --original-order go with the CSV'
    """
    options = frozenset(options)
    message = _SCHEMA_FORM.sub(_TYPE_FORM, message)
    for each in violations:
        last = each.field.rpartition(".")[2]
        for written in (each.field, last):
            if message.startswith(f"{written} ") and last in OPTIONS:
                message = option(last, options) + message[len(written) :]
    return _UNMISTAKABLE.sub(lambda found: option(found[0], options), message)


def hint(error: StewardError, options: Iterable[str] = ()) -> str:
    """Returns an error's hint in the words of the command."""
    text = _FOR_THE_COMMAND.sub(r"(\1)", error.hint)
    return told(text, error.field_violations, options)


def in_command(error: StewardError, options: Iterable[str] = ()) -> StewardError:
    """Returns an error whose message and hint are in the words of the command; its fields keep their own names."""
    told_error = copy.copy(error)
    told_error.message = told(error.message, error.field_violations, options)
    told_error.hint = hint(error, options)
    return told_error
