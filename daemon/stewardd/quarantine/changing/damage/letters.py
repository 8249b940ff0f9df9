"""Text that a spreadsheet changes: blanks, quotes and dashes, and letters that its character set does not have.

A text that was saved in Windows-1252 has `?` for each letter that the set lacks. A text that was read in another set
than it was written in has two or three strange letters for one. Both are recognised letter by letter: a text may have
both, and it is damaged only if every difference is one of them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from stewardd.quarantine.changing.damage.kind import Damage

_BLANKS = re.compile(r"[\s\u00a0\u200b\u2007\u202f\ufeff]+")
# Signs that autocorrection or a smaller character set replaces by one another.
_SIGNS = (
    ("'", "‘", "’", "‚", "‛", "′", "`", "´"),
    ('"', "“", "”", "„", "‟", "«", "»", "″"),
    ("-", "--", "---", "–", "—", "‐", "‑", "‒", "−"),
    ("...", "…"),
    ("(c)", "(C)", "©"),
    ("(r)", "(R)", "®"),
    ("(tm)", "(TM)", "™"),
    ("1/2", "½"),
    ("1/4", "¼"),
    ("3/4", "¾"),
    ("->", "→", "à"),
    ("=>", "⇒"),
    ("<-", "←"),
)
_REPLACEMENTS = {sign: group for group in _SIGNS for sign in group}
_LONGEST_SIGN = max(map(len, _REPLACEMENTS))
_SETS = (
    *("utf-8", "cp1252", "latin-1", "iso8859-15", "mac_roman", "cp437", "cp850"),
    *("cp1250", "cp1251", "cp1253", "cp1254", "iso8859-2", "iso8859-9"),
)
# Letters without a decomposition, and what the best fit of Windows replaces them by.
_BEST_FIT = {
    "ı": "i",
    "İ": "I",
    "ł": "l",
    "Ł": "L",
    "đ": "d",
    "Đ": "D",
    "ø": "o",
    "Ø": "O",
    "ß": "ss",
    "æ": "ae",
}
_REPLACED = "?\ufffd_"


def blanks(before: str, after: str) -> Damage | None:
    """BLANKS where only blanks differ."""
    if before != after and _BLANKS.sub(" ", before).strip() == _BLANKS.sub(" ", after).strip():
        return Damage.BLANKS
    return None


def damage(before: str, after: str) -> Damage | None:
    """See damage.damage. LETTERS, or SIGNS where no letter is replaced."""
    before, after = before.strip(), _BLANKS.sub(" ", after).strip()
    if not after:
        return None
    if _may_become(before, after, letters=False):
        return Damage.SIGNS
    composed = unicodedata.normalize("NFC", before)
    if composed == unicodedata.normalize("NFC", after) or _may_become(before, after, letters=True):
        return Damage.LETTERS
    return None


def _may_become(before: str, after: str, *, letters: bool) -> bool:
    """Whether a text may have become another, by its replacements. Dynamic programming over the places in both."""
    reached = {0: {0}}
    at = 0
    end = len(before)
    # `reached[i]` are the places in `after` where the replacement of before[:i] may end.
    while at < end:
        places = reached.pop(at, None)
        if places:
            for taken, alternatives in _units(before, at, letters=letters):
                behind = {
                    place + len(each)
                    for place in places
                    for each in alternatives
                    if after.startswith(each, place)
                }
                if behind:
                    reached.setdefault(at + taken, set()).update(behind)
        if not reached:
            return False
        at += 1
    return len(after) in reached.get(end, ())


def _units(text: str, at: int, *, letters: bool) -> Iterator[tuple[int, tuple[str, ...]]]:
    """The replacements of the text at a place: how many characters are replaced, and the alternatives."""
    blank = _BLANKS.match(text, at)
    if blank:
        yield blank.end() - at, (" ",)
        return
    for length in range(1, _LONGEST_SIGN + 1):
        sign = text[at : at + length]
        if len(sign) == length and sign in _REPLACEMENTS:
            yield length, _REPLACEMENTS[sign]
    letter = text[at]
    yield 1, _becomes(letter) if letters and not letter.isascii() else (letter,)


@lru_cache(maxsize=4096)
def _becomes(letter: str) -> tuple[str, ...]:
    """What a letter outside ASCII may have become: a sign, the nearest letter, or letters of another set."""
    found = {letter, *_REPLACED, unicodedata.normalize("NFD", letter)}
    if ord(letter) > 0xFFFF:  # two units of UTF-16, each replaced
        found |= {each * 2 for each in _REPLACED}
    plain = "".join(
        each for each in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(each)
    )
    found |= {plain, _BEST_FIT.get(letter, letter)}
    for written in _SETS:
        for read in _SETS:
            try:
                found.add(letter.encode(written).decode(read, "replace"))
                found.add(letter.encode(written).decode(read, "ignore"))
            except UnicodeEncodeError:
                continue
    # Windows reads the five bytes that its set lacks as control characters.
    found.add("".join(_windows(byte) for byte in letter.encode(errors="surrogatepass")))
    return tuple(found - {""})


def _windows(byte: int) -> str:
    try:
        return bytes((byte,)).decode("cp1252")
    except UnicodeDecodeError:
        return chr(byte)
