"""Dates and times that a spreadsheet writes in its own way, and other texts that it takes for dates.

A text may be several dates: 1/2/2025 is the second of January or the first of February. A cell is damaged where a
reading of the value after is the same day as one of the value before, and the same time of day if both have one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import permutations

from stewardd.quarantine.changing.damage.kind import Damage

_LONGEST = 64
_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan january januar jän jänner janv janvier ene enero oca ocak",
            "feb february februar févr fév février febrero şub şubat",
            "mar march mär märz mrz mars marzo mart",
            "apr april avr avril abr abril nis nisan",
            "may mai mayo mayıs",
            "jun june juni juin junio haz haziran",
            "jul july juli juil juillet julio tem temmuz",
            "aug august août aoû ago agosto ağu ağustos",
            "sep sept september septembre septiembre eyl eylül",
            "oct october okt oktober octobre octubre eki ekim",
            "nov november novembre noviembre kas kasım",
            "dec december dez dezember déc décembre dic diciembre ara aralık",
        ),
        start=1,
    )
    for name in names.split()
}
_TIME = re.compile(
    r"(?:^|[T ,]+)(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,][0-9]+)?)?"
    r"\s*(?P<half>[AaPp]\.?[Mm]\.?)?\s*(?P<zone>[Zz]|UTC|GMT|[+-][0-9]{2}:?[0-9]{2})?$"
)
_PART = re.compile(r"[0-9]+|[^\W\d_]+")
_BETWEEN = re.compile(r"[-/. ,]*")
# As Excel shows a time that it has a column of minutes for.
_MINUTES = re.compile(r"([0-9]{1,2}):([0-9]{2})[.,]0")
_SERIAL = re.compile(r"([0-9]{1,6})(?:[.,]([0-9]+))?")
_DAY_ZERO = date(1899, 12, 30)
_DAY_ZERO_1904 = date(1904, 1, 1)  # of workbooks of an old Macintosh
_SECONDS_A_DAY = 86_400
_CENTURY = 100


@dataclass(frozen=True, slots=True)
class _Moment:
    """One reading of a text. None for a part that the text does not have."""

    day: date | None
    second: int | None = None
    has_seconds: bool = False
    zone: str | None = None


def damage(before: str, after: str) -> Damage | None:
    """See damage.damage. None also for a text that is no date and no time."""
    if len(before) > _LONGEST or len(after) > _LONGEST or not any(map(str.isdigit, before)):
        return None
    was, now = set(_moments(before)), set(_moments(after))
    if any(_is_same(old, new) for old in was for new in now):
        return Damage.DATE
    if any(_is_part_of(old, after) for old in was) or _is_taken_for_date(before, after):
        return Damage.DATE
    return None


def _is_same(old: _Moment, new: _Moment) -> bool:
    # No spreadsheet adds or changes a zone: that is an edit.
    if old.day != new.day or new.zone not in (None, old.zone):
        return False
    if old.second is None or new.second is None:
        # The same day with midnight added, or with its time removed.
        return old.day is not None and new.second in (None, 0)
    step = 1 if old.has_seconds and new.has_seconds else 60
    return old.second // step == new.second // step


def _is_part_of(old: _Moment, after: str) -> bool:
    """Whether the value after is the serial number of the day, or the minutes and seconds of the time."""
    minutes = _MINUTES.fullmatch(after)
    if minutes and old.second is not None:
        return old.second % 3600 == int(minutes[1]) * 60 + int(minutes[2])
    if minutes and old.day is not None:
        return int(minutes[1]) == int(minutes[2]) == 0
    serial = _SERIAL.fullmatch(after)
    if serial is None:
        return False
    fraction = round(float(f"0.{serial[2] or 0}") * _SECONDS_A_DAY)
    if old.day is None:
        return (
            int(serial[1]) == 0
            and serial[2] is not None
            and abs(fraction - (old.second or 0)) <= 60
        )
    days = timedelta(int(serial[1]))
    same_day = old.day in (_plus(_DAY_ZERO, days), _plus(_DAY_ZERO_1904, days))
    return same_day and (serial[2] is None or abs(fraction - (old.second or 0)) <= 60)


def _plus(day: date, days: timedelta) -> date | None:
    try:
        return day + days
    except OverflowError:
        return None


def _moments(text: str) -> Iterator[_Moment]:
    """Every date and time that a text may be."""
    time = _TIME.search(text)
    second, has_seconds, zone = None, False, None
    if time:
        hour = int(time["hour"])
        half = (time["half"] or "").lower()[:1]
        if half:
            hour = hour % 12 + (12 if half == "p" else 0)
        second = hour * 3600 + int(time["minute"]) * 60 + int(time["second"] or 0)
        has_seconds = time["second"] is not None
        zone = time["zone"] and _zone(time["zone"])
        text = text[: time.start()]
        if not text:
            yield _Moment(None, second, has_seconds, zone)
            return
    for day in _days(text.strip()):
        yield _Moment(day, second, has_seconds, zone)


def _zone(text: str) -> str:
    digits = text.replace(":", "")
    return "Z" if digits.upper() in ("Z", "UTC", "GMT", "+0000", "-0000") else digits


def _parts(text: str) -> list[str] | None:
    """The numbers and words of a text. None where other characters than those between parts of a date are in it."""
    if _BETWEEN.fullmatch(_PART.sub("", text)) is None:
        return None
    return _PART.findall(text)


def _days(text: str) -> Iterator[date]:
    """Every day that a text with a year may be."""
    parts = _parts(text)
    if parts is None:
        return
    words = [each for each in parts if not each.isdigit()]
    months = [_MONTHS[each.casefold()] for each in words if each.casefold() in _MONTHS]
    numbers = [each for each in parts if each.isdigit()]
    if len(months) == 1 and len(numbers) == 2:  # a word beside the month is the day of the week
        for day, year in permutations(numbers):
            yield from _day(year, months[0], int(day))
    elif not words and len(numbers) == 3:
        if len(numbers[0]) == 4:
            yield from _day(numbers[0], int(numbers[1]), int(numbers[2]))
        else:
            yield from _day(numbers[2], int(numbers[1]), int(numbers[0]))
            yield from _day(numbers[2], int(numbers[0]), int(numbers[1]))
            if len(numbers[2]) == 2:
                yield from _day(numbers[0], int(numbers[1]), int(numbers[2]))


def _day(year: str, month: int, day: int) -> Iterator[date]:
    if len(year) not in (2, 4):
        return
    years = [int(year)] if len(year) == 4 else [1900 + int(year), 2000 + int(year)]
    for each in years:
        try:
            yield date(each, month, day)
        except ValueError:
            continue


def _is_taken_for_date(before: str, after: str) -> bool:
    """Whether a text of two parts (1-2, 3/4, SEPT2) became a date that has both parts."""
    was = [_value(each) for each in _PART.findall(before)] if _parts(before) is not None else []
    parts = _parts(after)
    if len(was) != 2 or None in was or parts is None or len(parts) not in (2, 3):
        return False
    words = [each for each in parts if not each.isdigit()]
    # Two numbers are no date that came from two other numbers.
    if len(words) > 1 or (not words and len(parts) < 3):
        return False
    now = [_value(each) for each in parts]
    if None in now:
        return False
    left = [each % _CENTURY for each in now if each is not None]
    for each in was:
        if each is None or each % _CENTURY not in left:
            return False
        left.remove(each % _CENTURY)
    return max(was[0] or 0, was[1] or 0) > 0


def _value(part: str) -> int | None:
    return int(part) if part.isdigit() else _MONTHS.get(part.casefold())
