"""Numbers that a spreadsheet writes in its own way: no leading zeros, powers of ten, 15 digits, its country's comma."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal, InvalidOperation

from stewardd.quarantine.changing.damage.kind import Damage

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:[.,][0-9]*)?|[.,][0-9]+)(?:[eE][+-]?[0-9]{1,4})?")
_POWER = re.compile(r"[0-9.,]+[eE][+-]?[0-9]{1,4}")
# Thousands in any country: three digits behind a blank, a point, a comma or an apostrophe.
_GROUPED = re.compile(
    r"[+-]?[0-9]{1,3}(?:([ \u00a0\u202f.,'’])[0-9]{3})(?:\1[0-9]{3})*(?:[.,][0-9]+)?"
)
_CURRENCY = "€$£¥₺₽ \u00a0\u202f"
_KEPT_DIGITS = 15  # of a number, by IEEE 754 double precision and by Excel
_SHOWN_DIGITS = 11  # in a cell of the format General
_LONGEST = 400
_MINUS = str.maketrans({"−": "-", "–": "-"})


def damage(before: str, after: str) -> Damage | None:
    """See damage.damage. None also for a text that is no number."""
    if len(before) > _LONGEST or len(after) > _LONGEST or not _NUMBER.fullmatch(before):
        return None
    was = list(_read(before))
    now = list(_readings(after))
    if any(old == new for old in was for new in now):
        return _same(before, after)
    if any(_is_rounded(old, new, after) for old in was for new in now):
        return Damage.POWER if _POWER.search(after) else Damage.ROUNDED
    return None


def _same(before: str, after: str) -> Damage:
    if _POWER.search(after):
        return Damage.POWER
    digits = before.lstrip("+-")
    if digits.startswith("0") and digits[1:2].isdigit() and not after.lstrip("+-").startswith("0"):
        return Damage.ZEROS
    return Damage.NUMBER


def _readings(text: str) -> Iterator[Decimal]:
    """Every number that a text may be in some country, also with thousands, a currency or a percent sign."""
    text = text.translate(_MINUS)
    bare = text.strip(_CURRENCY)
    if bare.endswith("%"):
        yield from (each / 100 for each in _readings(bare[:-1].rstrip(_CURRENCY)))
        return
    if _NUMBER.fullmatch(bare):
        yield from _read(bare)
    grouped = _GROUPED.fullmatch(bare)
    if grouped:
        whole = bare.replace(grouped[1], "")
        if _NUMBER.fullmatch(whole):
            yield from _read(whole)


def _read(text: str) -> Iterator[Decimal]:
    try:
        yield Decimal(text.replace(",", "."))
    except InvalidOperation:
        return


def _is_rounded(old: Decimal, new: Decimal, text: str) -> bool:
    """Whether a number is another one with fewer digits, as a spreadsheet stores or shows it."""
    if old.is_zero() or new.is_zero():
        return False
    digits, kept = _digits(old), _digits(new)
    if kept >= digits:
        return False
    if _POWER.search(text) or digits > _KEPT_DIGITS:
        sizes = {kept} if _POWER.search(text) else {max(kept, _KEPT_DIGITS), 16, 17}
        return any(_cut(old, size, how) == new for size in sizes for how in _WAYS)
    # As a cell shows it: fewer decimals, rounded. A whole number in place of a short one is an edit.
    decimals = -int(new.normalize().as_tuple().exponent)
    if decimals < 1 and digits <= _SHOWN_DIGITS:
        return False
    step = Decimal(1).scaleb(-max(decimals, 0))
    return old.quantize(step, ROUND_HALF_UP) == new or old.quantize(step, ROUND_HALF_EVEN) == new


_WAYS = (ROUND_HALF_UP, ROUND_HALF_EVEN, ROUND_DOWN)


def _digits(number: Decimal) -> int:
    return len(number.normalize(Context(prec=_LONGEST)).as_tuple().digits)


def _cut(number: Decimal, digits: int, how: str) -> Decimal:
    return Context(prec=digits, rounding=how).create_decimal(number)
