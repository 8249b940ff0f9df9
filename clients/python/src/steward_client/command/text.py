"""Words for people: text that may hold anything made safe for a terminal, and numbers with their units.

Names of files, cells and messages come from elsewhere. None may move the cursor, change a colour or turn the reading
direction: whatever Python does not call printable is shown as its escape.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime

_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


def plain(text: object) -> str:
    r"""Returns text that shows itself and does nothing else.

    >>> plain("\x1b[31mred\x1b[0m")
    '\\x1b[31mred\\x1b[0m'
    """
    words = str(text)
    if words.isprintable():
        return words
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode("ascii")
        for each in words
    )


_LOOK_ALIKES = ("CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC", "LATIN")
_TWINS = frozenset("аеорсухіјѕԁһАВЕЗКМНОРСТУХІЈЅԌοανρΑΒΕΖΗΙΚΜΝΟΡΤΥΧ")
"""Letters of other scripts that look like Latin ones."""
_SIGNS = frozenset("‐‑‒–—―−‚‘’“”„′″∕⁄։：﹕．․٫，、；")
"""Signs that look like those of ASCII, and mean something else in a number, a date or an address."""


def shown(value: str) -> str:
    r"""Returns a value so that it cannot be taken for another: what is not seen, or looks like another, is an escape.

    Quotes stand around a value with blanks at an end, or with an escape in it; there, a backslash is doubled.

    >>> shown("A1"), shown(" A1"), shown("A1\u00a0"), shown("\u04101"), shown("r\u0430ting"), shown("Анна")
    ('A1', '" A1"', '"A1\\xa0"', '"\\u04101"', '"r\\u0430ting"', 'Анна')
    """
    hidden = _hidden(value)
    if not hidden and value == value.strip(" ") and "  " not in value and value[:1] != '"':
        return value
    return (
        '"' + "".join(_quoted(each, is_hidden=at in hidden) for at, each in enumerate(value)) + '"'
    )


def _quoted(each: str, *, is_hidden: bool) -> str:
    if each in '\\"':
        return f"\\{each}"
    return each.encode("unicode_escape").decode("ascii") if is_hidden else each


def _hidden(value: str) -> set[int]:
    """Returns the places of the characters that a reader does not see, or takes for another."""
    if value.isascii() and value.isprintable():
        return set()
    hidden = {at for at, each in enumerate(value) if not each.isprintable()}
    if not unicodedata.is_normalized("NFC", value):
        hidden |= {at for at, each in enumerate(value) if unicodedata.combining(each)}
    if " " not in value:
        hidden |= {at for at, each in enumerate(value) if each in _SIGNS}
    hidden |= {at for at, each in enumerate(value) if _is_styled(each)}
    # A word of such letters alone is one of its own language, where others beside it are.
    is_foreign = any(_script(each) not in ("", "LATIN") and each not in _TWINS for each in value)
    for word in re.finditer(r"\w+", value):
        scripts = {_script(each) for each in word[0]} - {""}
        if scripts == {"LATIN"} or (len(scripts) == 1 and is_foreign):
            continue
        hidden |= {
            word.start() + at
            for at, each in enumerate(word[0])
            if (_script(each) not in ("", "LATIN") if "LATIN" in scripts else each in _TWINS)
        }
    return hidden


def _is_styled(each: str) -> bool:
    """Whether it is a Latin letter or a digit in another dress: wide, bold, in a circle."""
    plainer = unicodedata.normalize("NFKC", each)
    return not each.isascii() and len(plainer) == 1 and plainer.isascii() and plainer.isalnum()


def _script(each: str) -> str:
    """Returns the script of a letter, of those in which letters look alike; empty for all else."""
    script = unicodedata.name(each, "").partition(" ")[0]
    return script if each.isalpha() and script in _LOOK_ALIKES else ""


def count(number: int) -> str:
    """Returns a whole number that can be read at a glance.

    >>> count(1234567)
    '1,234,567'
    """
    return f"{number:,}"


def many(number: int, word: str) -> str:
    """Returns how many there are of something.

    >>> many(1, "row"), many(2000, "row"), many(0, "batch")
    ('1 row', '2,000 rows', '0 batches')
    """
    ending = "" if number == 1 else "es" if word.endswith(("ch", "x")) else "s"
    return f"{count(number)} {word}{ending}"


def verb(number: int, one: str, more: str) -> str:
    """Returns the verb that agrees with a number of things.

    >>> verb(1, "was", "were"), verb(0, "was", "were")
    ('was', 'were')
    """
    return one if number == 1 else more


def share(part: int, whole: int) -> str:
    """Returns a part of a whole in percent; what is not all never reads as all, nor what is not nothing as nothing.

    >>> share(999_999, 1_000_000), share(1, 1_000_000), share(1, 4), share(0, 0)
    ('>99.9 %', '<0.1 %', '25.0 %', '')
    """
    if whole == 0:
        return ""
    percent = 100 * part / whole
    if 0 < percent < 0.1:
        return "<0.1 %"
    if 99.9 < percent < 100:
        return ">99.9 %"
    return f"{percent:.1f} %"


def stripe(part: int, whole: int, *, width: int = 20, block: str = "█") -> str:
    """Returns a bar; what is not nothing never looks like nothing.

    >>> stripe(5, 10, width=4, block="#"), stripe(1, 1000, width=4, block="#"), stripe(0, 7)
    ('##', '#', '')
    """
    return block * -(-part * width // whole) if whole > 0 else ""


def ranges(numbers: Sequence[int]) -> str:
    """Returns ascending numbers, neighbours joined.

    >>> ranges([1, 2, 3, 7, 9, 10])
    '1-3, 7, 9-10'
    """
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def size(size_bytes: int) -> str:
    """Returns a size in the largest unit that fits.

    >>> size(1), size(1536), size(5 * 1024**3)
    ('1 byte', '1.5 KiB', '5.0 GiB')
    """
    if size_bytes == 1:
        return "1 byte"
    amount, unit = float(size_bytes), 0
    while amount >= 1024 and unit < len(_UNITS) - 1:
        amount, unit = amount / 1024, unit + 1
    return f"{size_bytes} bytes" if unit == 0 else f"{amount:.1f} {_UNITS[unit]}"


def duration(elapsed_s: float) -> str:
    """Returns a length of time in its two largest units.

    >>> duration(0.0123), duration(4.21), duration(125), duration(200_000)
    ('12 ms', '4.2 s', '2 min 5 s', '2 d 7 h')
    """
    if elapsed_s < 1:
        return f"{elapsed_s * 1000:.0f} ms"
    if elapsed_s < 60:
        return f"{elapsed_s:.1f} s"
    whole = int(elapsed_s)
    for large, name, small, other in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole >= large:
            return f"{whole // large} {name} {whole % large // small} {other}"
    raise AssertionError("a minute or more fits one of the units")


def moment(when: datetime) -> str:
    """Returns a time in UTC, to the second.

    >>> from datetime import UTC
    >>> moment(datetime(2025, 11, 13, 10, 0, tzinfo=UTC))
    '2025-11-13 10:00:00Z'
    """
    return when.strftime("%Y-%m-%d %H:%M:%SZ")


def short_name(name: str) -> str:
    """Returns `language_session 1.1` for a schema's resource name, and other names as they are."""
    parts = name.split("/")
    if len(parts) == 4 and parts[0] == "schemas" and parts[2] == "versions":
        return f"{parts[1]} {parts[3]}"
    return name
