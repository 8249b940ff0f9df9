"""The lines of rows.jsonl, the file in which people correct payloads: one JSON object a payload, as JSON Lines.

    {"batch": "batches/…", "row": 7, "etag": "…", "errors": ["/mood: must be one of …"], "payload": {…}}

`payload` is edited. A payload that is no JSON stands in `payloadText` instead, as a string, and one of which not all
bytes are kept as text in `raw`, for reading: whoever corrects it writes `payload`.
"""

from __future__ import annotations

import json
from typing import Any

from stewardd.quarantine.files.exact_json import Members, NotJson, one_line, read_json, write_json

BATCH, ROW, ETAG, ERRORS = "batch", "row", "etag", "errors"
PAYLOAD, TEXT, RAW = "payload", "payloadText", "raw"


def sheet_line(
    batch: str, row: int, etag: str, errors: list[str], payload: str | None, raw: str
) -> bytes:
    """Writes a line. `payload` is None where its bytes are no text, or not all of them are there."""
    members = {BATCH: batch, ROW: row, ETAG: etag, ERRORS: errors}
    leading = json.dumps(members, ensure_ascii=False)[:-1]
    if payload is None:
        last = f'"{PAYLOAD}": null, "{RAW}": {json.dumps(raw)}'
    elif is_json(payload):
        last = f'"{PAYLOAD}": {one_line(payload)}'
    else:
        last = f'"{PAYLOAD}": null, "{TEXT}": {json.dumps(payload)}'
    return f"{leading}, {last}}}\n".encode()


def is_json(text: str) -> bool:
    """Whether a text is JSON; doubled members do not matter here."""
    try:
        read_json(text)
    except NotJson:
        return False
    return True


def payload_of(members: Members) -> str | None:
    """Returns the payload that a line has; "" where the line leaves it as it was. None where it has none."""
    found: dict[str, Any] = dict(members)
    if found.get(PAYLOAD) is not None:
        return write_json(found[PAYLOAD])
    if isinstance(found.get(TEXT), str):
        return str(found[TEXT])
    if RAW in found:
        return ""
    return "null" if PAYLOAD in found else None
