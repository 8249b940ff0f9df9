"""What spreadsheets do to cells that nobody edits: told from the value that a cell had, and the one that came back.

Pure. Only a change that a program makes by itself is damage; whatever else differs is somebody's edit. So a value is
damage only where it is still the same number, the same date or the same text, written in another way, or what is left
of it. `numbers.py`, `dates.py` and `letters.py` know a kind each.
"""

from __future__ import annotations

import re

from stewardd.quarantine.changing.damage import dates, letters, numbers
from stewardd.quarantine.changing.damage.kind import Damage

__all__ = ["Damage", "damage"]

# What a spreadsheet shows in the place of a value: an error of a formula, or a column that is too narrow.
_ERROR = re.compile(
    r"#(?:NAME\?|VALUE!|REF!|DIV/0!|NUM!|N/A|NULL!|SPILL!|CALC!)|Err:[0-9]{3}|#{2,}", re.IGNORECASE
)
_CELL_LIMITS = range(
    32_759, 32_768
)  # what Excel and Calc hold in a cell, less what stood before it
_LIMITS = (255, 1024, 65_535, *_CELL_LIMITS)
_TRUE = frozenset({"true", "wahr", "vrai", "verdadero", "vero", "verdadeiro", "waar", "doğru"})
_FALSE = frozenset({"false", "falsch", "faux", "falso", "onwaar", "yanlış"})


def damage(before: str, after: str) -> Damage | None:
    """What a spreadsheet did to a cell; None where it is the same, or where a person has edited it.

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
