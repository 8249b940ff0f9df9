"""One person's e-mail address: how it is found in bytes and text, and what stands in its place.

It is found in any case, and as itself only: ana@x.org is not in diana@x.org, nor in ana@x.org.uk. In a row that names
the person what they wrote goes too: every cell of a column with personal data, but for the addresses of others.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

from stewardd.errors import InvalidRequest

MASKED_ADDRESS = "erased@erased.invalid"
MASKED_TEXT = "[erased]"
_LONGEST = 320  # RFC 5321: 64 for the local part, 255 for the domain
_ADDRESS = re.compile(r"[^@\s\"\\<>(),;:]+@[^@\s\"\\<>(),;:]+\.[^@\s\"\\<>(),;:]+")
_ATOM = r"A-Za-z0-9!#$%&'*+/=?^_`{|}~.\-"
_BASE64 = re.compile(rb'"rawRowBase64":"([^"]*)"')


class Subject:
    """A person, known by an address. InvalidRequest for what is none."""

    def __init__(self, email: str) -> None:
        address = email.strip()
        if len(address) > _LONGEST or not _ADDRESS.fullmatch(address):
            raise InvalidRequest("email is no address", field="email")
        self._address = address
        self.needle = address.lower().encode()
        self._pattern = re.compile(
            rf"(?<![{_ATOM}]){re.escape(address)}(?![A-Za-z0-9\-]|\.[A-Za-z0-9])", re.IGNORECASE
        )

    def hashed(self, key: bytes) -> str:
        """What stands for the address in records: who has the key can tell whether an address is this one."""
        return hmac.new(key, self._address.lower().encode(), sha256).hexdigest()

    def is_in(self, text: str) -> bool:
        """Whether a text names them."""
        return self._pattern.search(text) is not None

    def may_be_in(self, line: bytes) -> bool:
        """Whether a line of JSON or CSV may name them: a quick look, which may be wrong only by saying yes.

        Only ASCII letters are folded, as in the address of RFC 5321. Bytes that are no UTF-8 stand there in base64.
        """
        if self.needle in line.lower():
            return True
        encoded = _BASE64.search(line)
        return encoded is not None and self.needle in base64.b64decode(encoded[1]).lower()

    def may_be_among(self, chunks: Iterable[bytes]) -> bool:
        """Whether a file may name them: the same quick look, chunk by chunk."""
        tail = b""
        for chunk in chunks:
            held = tail + chunk
            if self.needle in held.lower() or b'"rawRowBase64":' in held:
                return True
            tail = held[-len(self.needle) - 16 :]
        return False

    def masked(self, text: str) -> str:
        """A text without them."""
        return self._pattern.sub(MASKED_ADDRESS, text)

    def masked_cells(self, cells: Mapping[str, str], personal: frozenset[str]) -> dict[str, str]:
        """The cells of a row that names them, without them and what they wrote."""
        return {
            column: self._masked_cell(value, personal=column in personal)
            for column, value in cells.items()
        }

    def masked_value(self, value: str | None, *, personal: bool) -> str | None:
        """The value of a violation, of a row that names them."""
        return None if value is None else self._masked_cell(value, personal=personal)

    def masked_json(self, found: Any) -> Any:
        """A JSON value whose texts are without them."""
        if isinstance(found, str):
            return self.masked(found)
        if isinstance(found, list):
            return [self.masked_json(each) for each in found]
        if isinstance(found, dict):
            return {key: self.masked_json(value) for key, value in found.items()}
        return found

    def _masked_cell(self, value: str, *, personal: bool) -> str:
        masked = self.masked(value)
        if not personal or not value or masked == MASKED_ADDRESS:
            return masked
        return value if _ADDRESS.fullmatch(value.strip()) and masked == value else MASKED_TEXT
