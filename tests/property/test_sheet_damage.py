"""What spreadsheets do to cells is told from what people do, whatever the values are.

Each kind of damage is made by a small model of the program that does it: a text that is taken for a number is written
from its value, a text goes through another character set and back. What no program does is never called damage.
"""

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from stewardd.quarantine.changing.damage import Damage, damage

WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=12
)
LETTERS = st.text("abcXYZ çğışüöÄßéñłőž", min_size=1, max_size=40).map(str.strip).filter(bool)
DAYS = st.dates(date(1900, 3, 1), date(2100, 12, 31))
# From 1950 to 2049: two digits of a year say which.
MOMENTS = st.integers(-631_152_000, 2_524_607_999).map(lambda s: datetime.fromtimestamp(s, UTC))
DAY_STYLES = (
    *("%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%d-%b-%Y", "%Y/%m/%d", "%d.%m.%y", "%m/%d/%y"),
    *("%B %d, %Y", "%A, %d %B %Y", "%d. %B %Y", "%d %b %y"),
)


@given(st.integers(1, 10**14), st.integers(1, 6))
def test_zeros_before_a_number_are_missed(number, zeros):
    assert damage("0" * zeros + str(number), str(number)) is Damage.ZEROS
    assert damage("0" * zeros + str(number), f"{number}.0") is Damage.ZEROS


@given(st.integers(10**11, 10**24), st.integers(1, 15))
def test_a_long_number_as_a_power_of_ten_is_still_that_number_or_what_is_left_of_it(number, digits):
    assert damage(str(number), f"{number:.{digits}E}") is Damage.POWER


@given(st.integers(10**15, 10**30))
def test_a_number_of_which_fifteen_digits_are_left_is_rounded(number):
    text = str(number)
    cut = text[:15] + "0" * (len(text) - 15)
    assume(cut != text)
    assert damage(text, cut) is Damage.ROUNDED


@given(st.decimals(0, 10_000, places=3))
def test_a_decimal_comma_and_a_percent_sign_are_another_way_to_write_a_number(number):
    assert damage(str(number), str(number).replace(".", ",")) is Damage.NUMBER
    if number:
        assert damage(str(number), f"{(number * 100).normalize():f}%") is Damage.NUMBER


@given(st.decimals(0, 10_000, places=2), st.decimals(0, 10_000, places=2))
def test_another_number_is_an_edit(before, after):
    assume(abs(before - after) >= Decimal("0.06") and after * 100 != before)
    assume(before * 1000 != after and after * 1000 != before)
    assert damage(str(before), str(after)) is None


@given(DAYS, st.sampled_from(DAY_STYLES))
def test_a_day_is_known_again_in_any_style(day, style):
    if "%y" in style:
        assume(1950 <= day.year < 2050)
    assert damage(day.isoformat(), day.strftime(style)) is Damage.DATE
    assert damage(day.isoformat(), str((day - date(1899, 12, 30)).days)) is Damage.DATE


@given(
    MOMENTS,
    st.sampled_from(
        ("%d.%m.%Y %H:%M", "%m/%d/%Y %I:%M:%S %p", "%Y-%m-%d %H:%M:%S", "%d/%m/%y %H:%M")
    ),
)
def test_a_moment_is_known_again_without_its_zone_or_its_seconds(moment, style):
    sent = moment.isoformat().replace("+00:00", "Z")
    assert damage(sent, moment.strftime(style)) is Damage.DATE
    assert damage(sent, moment.strftime("%M:%S.0")) is Damage.DATE


@given(DAYS, st.integers(1, 20_000))
def test_another_day_is_an_edit(day, days):
    try:
        other = day + timedelta(days)
    except OverflowError:
        assume(False)
    assert damage(day.isoformat(), other.isoformat()) is None
    assert damage(day.isoformat(), other.strftime("%d-%b-%Y")) is None


@given(MOMENTS, st.sampled_from(("+02:00", "-05:30")))
def test_another_zone_is_an_edit(moment, zone):
    sent = moment.isoformat()
    assert damage(sent, sent.replace("+00:00", zone)) is None


@given(
    LETTERS,
    st.sampled_from(("cp1252", "latin-1", "ascii", "cp1254", "cp1250", "mac_roman", "cp850")),
)
def test_letters_that_a_character_set_lacks_are_missed(text, charset):
    after = text.encode(charset, "replace").decode(charset)
    assume(after != text)
    assert damage(text, after) is Damage.LETTERS


@given(LETTERS, st.sampled_from(("cp1252", "latin-1", "mac_roman", "cp437", "cp1254", "iso8859-9")))
def test_utf_8_that_was_read_in_another_set_is_missed(text, charset):
    try:
        after = text.encode().decode(charset)
    except UnicodeDecodeError:
        assume(False)
    assume(after != text and "\xa0" not in after)
    assert damage(text, after) is Damage.LETTERS


@given(LETTERS)
def test_putting_such_letters_right_is_an_edit(text):
    assume(not text.isascii())
    assert damage(text.encode().decode("latin-1"), text) in (None, Damage.BLANKS)


@given(WORDS, st.sampled_from((" ", "\t", "\u00a0", "  ")))
def test_blanks_that_come_or_go_are_missed(word, blank):
    assert damage(word + blank + word, f" {word}  {word}") is Damage.BLANKS
    assert damage(blank + word, word) is Damage.BLANKS


@given(WORDS)
def test_quotes_and_dashes_that_are_corrected_by_themselves_are_missed(word):
    assume(not any(sign in word for sign in "'\"-–—"))
    assert damage(f"'{word}' - \"{word}\"", f"‘{word}’ – “{word}”") is Damage.SIGNS


@given(WORDS)
def test_a_value_is_no_damage_of_itself_nor_of_nothing(word):
    assert damage(word, word) is None
    assert damage("", word) is None
    assert damage(f"{word}\r\n{word}", f"{word}\n{word}") is None


@given(
    st.text("abcdefgh XYZ", min_size=1, max_size=20),
    st.text("abcdefgh XYZ", min_size=1, max_size=20),
)
def test_another_word_is_an_edit(before, after):
    assume(re.sub(" +", " ", before).strip() != re.sub(" +", " ", after).strip())
    assert damage(before, after) is None


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_two_values_can_be_compared(before, after):
    assert damage(before, after) is None or before != after


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        ("1-2", "02-Jan", Damage.DATE),
        ("3/4", "2025-03-04", Damage.DATE),
        ("SEPT2", "02-Sep", Damage.DATE),
        ("9:05", "09:05:00", Damage.DATE),
        ("true", "TRUE", Damage.TRUTH),
        ("true", "WAHR", Damage.TRUTH),
        ("true", "false", None),
        ("'007", "007", Damage.APOSTROPHE),
        ("=1+1", "'=1+1", Damage.APOSTROPHE),
        ("abc", "#NAME?", Damage.ERROR),
        ("2025-01-02", "########", Damage.ERROR),
        ("a" * 300, "a" * 255, Damage.CUT),
        ("0.666", "0.67", Damage.ROUNDED),
        ("1.7", "2", None),
        ("+4912345", "4912345", Damage.NUMBER),
        ("1000", "1,000", Damage.NUMBER),
        ("5", "5.0", Damage.NUMBER),
        ("1E19", "1E+19", Damage.POWER),
        ("Müller", "Möller", None),
        ("2025-01-02", "2025-02-01", None),
        ("10", "2-Jan", None),
        ("S-1", "S-2", None),
        ("ana@example.org", "bo@example.org", None),
    ],
)
def test_a_change_is_called_what_it_is(before, after, kind):
    assert damage(before, after) is kind
