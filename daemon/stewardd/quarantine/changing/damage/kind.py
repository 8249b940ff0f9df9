"""The kinds of damage. Each value is the text that people see behind the name of the column."""

from __future__ import annotations

from enum import StrEnum


class Damage(StrEnum):
    """The damage that a spreadsheet did to a cell."""

    ZEROS = "leading zeros are lost"
    POWER = "the number is written as a power of ten"
    ROUNDED = "digits of the number are lost"
    NUMBER = "the number is written in another way"
    DATE = "the date or time is written in another way"
    LETTERS = "letters are replaced by others"
    BLANKS = "blanks are lost or added"
    SIGNS = "quotes, dashes or other signs are replaced"
    TRUTH = "true or false is written in another way"
    APOSTROPHE = "the apostrophe before the value is lost or added"
    ERROR = "an error of the spreadsheet stands in its place"
    CUT = "the end of the text is lost"
