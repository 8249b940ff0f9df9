"""What a spreadsheet may have made of a sheet, and what is refused rather than guessed at."""

import pytest
from stewardd.errors import InputRefused
from stewardd.quarantine.sheet import Sheet

LEADING = "Batch,Row Number,Etag,Errors,Raw Row"


@pytest.fixture
def sheet(tmp_path):
    def made(text, *columns):
        path = tmp_path / "sheet.csv"
        path.write_bytes(text.encode())
        return Sheet(path, columns or ("name",), max_rows=100, max_cell_characters=1000)

    return made


@pytest.mark.parametrize("number", ["1000", " 1000 ", "1000.0", "1000,0", "1000.00", "1000,00"])
def test_a_row_number_is_read_as_any_locale_writes_it_with_decimals(sheet, number):
    (row,) = sheet(f'{LEADING},name\r\nbatches/b,"{number}",,,,ana\r\n').rows()
    assert (row.batch, row.number, row.cells) == ("b", 1000, {"name": "ana"})


@pytest.mark.parametrize(
    "number", ["1,000", "1.000", "1 000", "1'000", "1,000.00", "1E+3", "-1", "0"]
)
def test_a_row_number_with_a_thousands_separator_is_refused_and_never_read_as_another(
    sheet, number
):
    with pytest.raises(InputRefused, match=r"line 2 .* no row number") as refused:
        list(sheet(f'{LEADING},name\r\nbatches/b,"{number}",,,,ana\r\n').rows())
    assert "plain number" in (refused.value.hint or "")
