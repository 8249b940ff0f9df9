"""A data subject (GDPR, Article 4), known by an e-mail address: finding the address in bytes and text, and masking it.

The address is found in any case of letters, escaped or not, and only as a whole: ana@x.org is not in diana@x.org, nor
in ana@x.org.uk. In a row that names the person every cell of a column with personal data is masked, except for the
addresses of others.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

from stewardd.errors import InvalidRequest
from stewardd.quarantine.removing.email_pattern import EmailPattern

MASKED_ADDRESS = "erased@erased.invalid"
MASKED_TEXT = "[erased]"
_LONGEST = 320  # RFC 5321: 64 for the local part, 255 for the domain
_ADDRESS = re.compile(r"[^@\s\"\\<>(),;:]+@[^@\s\"\\<>(),;:]+\.[^@\s\"\\<>(),;:]+")
# A cell that holds only addresses consists of these and of punctuation. The pattern begins where a word does.
_WRITTEN = re.compile(
    r"mailto:|(?<![^@\s\"\\<>(),;:])[^@\s\"\\<>(),;:]{1,64}@[^@\s\"\\<>(),;:]{1,255}", re.IGNORECASE
)
_BASE64 = re.compile(rb'"rawRowBase64":"([^"]*)"')


class DataSubject:
    """A person, known by an address. Raises: InvalidRequest for a text that is no address."""

    def __init__(self, email: str) -> None:
        address = email.strip()
        if len(address) > _LONGEST or not _ADDRESS.fullmatch(address):
            raise InvalidRequest("email is no address", field="email")
        self._address = EmailPattern(address)

    def hashed(self, key: bytes) -> str:
        """A keyed hash of the address. With the key one can tell whether an address is this one."""
        return hmac.new(key, self._address.lower.encode(), sha256).hexdigest()

    def is_in(self, text: str) -> bool:
        """Whether a text holds the address."""
        return bool(self._address.spans(text))

    def may_be_in(self, line: bytes) -> bool:
        """Whether a line of JSON or CSV may hold the address. Quick; it may say yes wrongly, but never no.

        Records that are not UTF-8 are in the line as base64.
        """
        if self._address.may_be_in(line):
            return True
        encoded = _BASE64.search(line)
        return encoded is not None and self._address.may_be_in(base64.b64decode(encoded[1]))

    def may_be_among(self, chunks: Iterable[bytes]) -> bool:
        """Whether a file, in chunks, may hold the address. See `may_be_in`."""
        tail = b""
        for chunk in chunks:
            held = tail + chunk
            if self._address.may_be_in(held) or b'"rawRowBase64":' in held:
                return True
            tail = held[-self._address.reach_bytes :]
        return False

    def masked(self, text: str) -> str:
        """The text with the address masked."""
        parts: list[str] = []
        at = 0
        for start, end in self._address.spans(text):
            if start >= at:
                parts += (text[at:start], MASKED_ADDRESS)
                at = end
        return "".join((*parts, text[at:]))

    def masked_cells(self, cells: Mapping[str, str], personal: frozenset[str]) -> dict[str, str]:
        """The cells of a row that names the person: the address and the cells of personal columns are masked."""
        return {
            column: self._masked_cell(value, personal=column in personal)
            for column, value in cells.items()
        }

    def masked_value(self, value: str | None, *, personal: bool) -> str | None:
        """The value of a violation in a row that names the person."""
        return None if value is None else self._masked_cell(value, personal=personal)

    def masked_json(self, found: Any) -> Any:
        """A JSON value with the address masked in all its texts."""
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
