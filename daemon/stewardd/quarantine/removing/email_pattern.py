"""Finds an e-mail address in a text, in any case of letters, but not as a part of another address.

The hard part is the characters beside it. Nearly every mark may be part of a local part (RFC 5322, atext), but most
marks beside an address are not: quotes, brackets, `email=`, a bullet. So these count as part of another address: a
letter or digit, and a mark that joins words (`.-_+'&`) between the address and a letter or digit. Where both readings
are possible, the text is taken for another address.
"""

from __future__ import annotations

import re
import unicodedata
from contextlib import suppress

from stewardd.quarantine.removing.escapes import decoded_near_escapes, decodings

_JOINING = ".-_+'&"
_ATEXT = frozenset("!#$%&'*+/=?^_`{|}~.-")
_NEXT_LOCAL_PART = re.compile(r"[.\-]+[^\W_]{1,64}@")
_LABELS = re.compile(r"(?:\.|-+)(?:[^\W_]+(?:\.|-+))*[^\W_]+")


class EmailPattern:
    """The pattern of one address."""

    def __init__(self, address: str) -> None:
        address = unicodedata.normalize("NFC", address)
        forms = _forms(address)
        self._pattern = re.compile("|".join(map(_any_case, forms)))
        self._needles = frozenset(
            max(re.findall(r"[\x00-\x7f]+", form), key=len).lower().encode() for form in forms
        )
        # An escape is several times as long as its character, and an escape within an escape longer again.
        self.reach_bytes = 32 * max(map(len, self._needles))
        self._has_escapes = len(decodings(address)) > 1
        self.lower = address.lower()

    def may_be_in(self, data: bytes) -> bool:
        """Whether bytes may hold the address, by its ASCII part. It may say yes wrongly, but never no."""
        lower = data.lower()
        if any(needle in lower for needle in self._needles):
            return True
        plain = decoded_near_escapes(lower, self.reach_bytes)
        return plain is not None and any(needle in plain for needle in self._needles)

    def spans(self, text: str) -> list[tuple[int, int]]:
        """The places (begin, end) of the address in a text, in order."""
        if not self.may_be_in(text.encode(errors="replace")):
            return []
        found = decodings(text)
        # The characters beside it are known only after all escapes are decoded. But an address that holds what looks
        # like an escape would be changed by that: it is looked for in every decoding.
        return sorted(
            {
                decoded.span(*match.span())
                for decoded in (found if self._has_escapes else found[-1:])
                for match in self._pattern.finditer(decoded.text)
                if _begins(decoded.text, match.start()) and _ends(decoded.text, match.end())
            }
        )


def _forms(address: str) -> set[str]:
    """The address, and the address with its domain as A-labels and as U-labels (RFC 5890)."""
    local, _, domain = address.rpartition("@")
    found = {address}
    with suppress(UnicodeError):
        found.add(f"{local}@{domain.encode('idna').decode()}")
    with suppress(UnicodeError):
        found.add(f"{local}@{domain.encode().decode('idna')}")
    return {unicodedata.normalize("NFC", form) for form in found}


def _any_case(address: str) -> str:
    """A pattern of an address in any case of letters, its accents composed or not.

    An ASCII letter matches only ASCII, another letter never does: the Turkish dotless i is no i, and ß is no ss.
    """
    return "".join(map(_letter, address))


def _letter(letter: str) -> str:
    if letter.isascii():
        return f"[{letter.lower()}{letter.upper()}]" if letter.isalpha() else re.escape(letter)
    composed = rf"(?![\x00-\x7f])(?i:{re.escape(letter)})"
    apart = unicodedata.normalize("NFD", letter)
    if len(apart) == 1:
        return composed
    return f"(?:{composed}|{_letter(apart[0])}{re.escape(apart[1:])})"


def _joins(letter: str, own: str) -> bool:
    """Whether a character belongs to the same word as the character of the address beside it.

    Letters without case (Han, Thai, Hebrew) are written without spaces, so an address in ASCII ends beside them.
    """
    kind = unicodedata.category(letter)
    if kind == "Lo":
        return unicodedata.category(own) == "Lo"
    return letter.isalnum() or kind in {"Mn", "Mc"}


def _begins(text: str, start: int) -> bool:
    """Whether an address begins here."""
    at = start - 1
    while at >= 0 and text[at] in _JOINING:
        if at + 1 < start and text[at] == text[at + 1] == ".":
            return True  # no local part has two dots in a row
        at -= 1
    if at < 0 or not _joins(text[at], text[start]):
        return True
    if at == start - 1:
        return False
    # It may be the end of the address before: bo@example.org-ana@example.org.
    last = max(-1, at - 255)
    while at > last and (text[at] in _ATEXT or text[at].isalnum()):
        at -= 1
    return at >= 0 and text[at] == "@"


def _ends(text: str, end: int) -> bool:
    """Whether an address ends here."""
    if end == len(text):
        return True
    own = text[end - 1]
    if _joins(text[end], own):
        return False
    more = _LABELS.match(text, end, end + 255)
    if more is None or _NEXT_LOCAL_PART.match(text, end):
        return True
    first = re.split(r"[.\-]+", more[0])[1]
    if not _joins(first[0], own) or more[0].rpartition(".")[2].isdecimal():
        return True  # no domain ends with a number
    # A sentence that begins without a space: ana@example.org.Thanks. Two letters may be a country.
    label = text[text.rfind(".", 0, end) + 1 : end]
    return more[0] == f".{first}" and len(first) > 2 and first.istitle() and label.islower()
