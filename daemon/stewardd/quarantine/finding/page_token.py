"""Page tokens of a listing of rows: where the next page begins, bound to the filter of the listing (AIP-158)."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import asdict, dataclass
from typing import Any

from stewardd.batches.filter import BatchFilter
from stewardd.errors import InvalidRequest
from stewardd.quarantine.finding.row_filter import RowFilter
from stewardd.repository.identifiers import is_id

_TOKEN = re.compile(r"([0-9a-f]{16})\.([0-9a-f-]{36})\.([0-9]{1,18})\.([0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class PageStart:
    """Where a page begins: the batch, the first row that may be on it, and the byte where that row may begin."""

    batch_id: str
    row: int = 0
    offset: int = 0


def scope_hash(parent: str, wanted: RowFilter, batch_filter: BatchFilter | None) -> str:
    """A hash of what is listed. A token of another listing has another one."""
    scope: list[Any] = [parent, asdict(wanted), batch_filter and asdict(batch_filter)]
    return hashlib.sha256(json.dumps(scope, default=str).encode()).hexdigest()[:16]


def write_token(scope: str, start: PageStart | None) -> str:
    """A token as text. Empty where there is no next page."""
    if start is None:
        return ""
    text = f"{scope}.{start.batch_id}.{start.row}.{start.offset}"
    return base64.urlsafe_b64encode(text.encode()).decode()


def read_token(token: str, scope: str) -> PageStart | None:
    """Where a page begins. None for the first page, which has no token. Raises: InvalidRequest."""
    if not token:
        return None
    try:
        match = _TOKEN.fullmatch(base64.b64decode(token, b"-_", validate=True).decode())
    except ValueError:
        match = None
    if match is None or not is_id(match[2]):
        raise InvalidRequest("the page token is none that was given out here", field="page_token")
    if match[1] != scope:
        raise InvalidRequest("the page token belongs to another listing", field="page_token")
    return PageStart(match[2], int(match[3]), int(match[4]))
