"""One person's e-mail address: how it is found in bytes and text, and what stands in its place.

It is found in any case, escaped or not, and as itself only: ana@x.org is not in diana@x.org, nor in ana@x.org.uk. In a
row that names the person what they wrote goes too: every cell of a column with personal data, but for the addresses of
others.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

from stewardd.errors import InvalidRequest
from stewardd.quarantine.address import Address

MASKED_ADDRESS = "erased@erased.invalid"
MASKED_TEXT = "[erased]"
_LONGEST = 320  # RFC 5321: 64 for the local part, 255 for the domain
_ADDRESS = re.compile(r"[^@\s\"\\<>(),;:]+@[^@\s\"\\<>(),;:]+\.[^@\s\"\\<>(),;:]+")
# What a cell of addresses only consists of, beside marks. An address is tried where a word begins, not at each letter.
_WRITTEN = re.compile(
    r"mailto:|(?<![^@\s\"\\<>(),;:])[^@\s\"\\<>(),;:]{1,64}@[^@\s\"\\<>(),;:]{1,255}", re.IGNORECASE
)
_BASE64 = re.compile(rb'"rawRowBase64":"([^"]*)"')


class Subject:
    """A person, known by an address. InvalidRequest for what is none."""

    def __init__(self, email: str) -> None:
        address = email.strip()
        if len(address) > _LONGEST or not _ADDRESS.fullmatch(address):
            raise InvalidRequest("email is no address", field="email")
        self._address = Address(address)

    def hashed(self, key: bytes) -> str:
        """What stands for the address in records: who has the key can tell whether an address is this one."""
        return hmac.new(key, self._address.lower.encode(), sha256).hexdigest()

    def is_in(self, text: str) -> bool:
        """Whether a text names them."""
        return bool(self._address.spans(text))

    def may_be_in(self, line: bytes) -> bool:
        """Whether a line of JSON or CSV may name them: a quick look, which may be wrong only by saying yes.

        Bytes that are no UTF-8 stand there in base64.
        """
        if self._address.may_be_in(line):
            return True
        encoded = _BASE64.search(line)
        return encoded is not None and self._address.may_be_in(base64.b64decode(encoded[1]))

    def may_be_among(self, chunks: Iterable[bytes]) -> bool:
        """Whether a file may name them: the same quick look, chunk by chunk."""
        tail = b""
        for chunk in chunks:
            held = tail + chunk
            if self._address.may_be_in(held) or b'"rawRowBase64":' in held:
                return True
            tail = held[-self._address.reach_bytes :]
        return False

    def masked(self, text: str) -> str:
        """A text without them."""
        parts: list[str] = []
        at = 0
        for start, end in self._address.spans(text):
            if start >= at:
                parts += (text[at:start], MASKED_ADDRESS)
                at = end
        return "".join((*parts, text[at:]))

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
        if not personal or not re.search(r"\w", _WRITTEN.sub("", masked)):
            return masked
        others = [
            each for each in _WRITTEN.findall(masked) if "@" in each and each != MASKED_ADDRESS
        ]
        return " ".join((MASKED_TEXT, *others))
