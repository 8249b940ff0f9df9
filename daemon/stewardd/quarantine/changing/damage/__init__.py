"""Recognises what spreadsheets do to cells that nobody edits, from the value before and the value after. Pure.

Only a change that a program makes by itself is damage; every other change is an edit. So a value is damaged where it is
still the same number, date or text, written in another way, or a part of it. `numbers.py`, `dates.py` and `letters.py`
recognise one kind each.
"""

from __future__ import annotations

import re

from stewardd.quarantine.changing.damage import dates, letters, numbers
from stewardd.quarantine.changing.damage.kind import Damage

__all__ = ["Damage", "damage"]

# What a spreadsheet shows in place of a value: the error of a formula, or a column that is too narrow.
_ERROR = re.compile(
    r"#(?:NAME\?|VALUE!|REF!|DIV/0!|NUM!|N/A|NULL!|SPILL!|CALC!)|Err:[0-9]{3}|#{2,}", re.IGNORECASE
)
# What Excel and Calc hold in a cell, less the characters that stood before it.
_CELL_LIMITS = range(32_759, 32_768)
_LIMITS = (255, 1024, 65_535, *_CELL_LIMITS)
_TRUE = frozenset({"true", "wahr", "vrai", "verdadero", "vero", "verdadeiro", "waar", "doğru"})
_FALSE = frozenset({"false", "falsch", "faux", "falso", "onwaar", "yanlış"})


def damage(before: str, after: str) -> Damage | None:
    """The damage of a cell. None where the cell is unchanged or was edited by a person.

    >>> damage("00734", "734")
    <Damage.ZEROS: 'leading zeros are lost'>
    >>> damage("00734", "735") is None
    True
    """
    before, after = _lines(before), _lines(after)
    if before == after or not before:
        return None
    if _ERROR.fullmatch(after.strip()):
        return Damage.ERROR
    if len(after) in _LIMITS and before.startswith(after):
        return Damage.CUT
    if before.lstrip("'") == after.lstrip("'"):
        return Damage.APOSTROPHE
    if any(
        {before.strip().casefold(), after.strip().casefold()} <= words for words in (_TRUE, _FALSE)
    ):
        return letters.blanks(before, after) or Damage.TRUTH
    return (
        letters.blanks(before, after)
        or numbers.damage(before.strip(), after.strip())
        or dates.damage(before.strip(), after.strip())
        or letters.damage(before, after)
    )


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
