"""What a spreadsheet may have made of a sheet, and what is refused rather than guessed at."""

import pytest
from stewardd.errors import InputRefused
from stewardd.quarantine.changing.sheet import Sheet
from stewardd.quarantine.files.sheet_layout import leading_columns

LEADING = "Batch,Row Number,Etag,Errors,Raw Row"


@pytest.fixture
def sheet(tmp_path):
    def made(text, *columns, known=True, bound=1000):
        path = tmp_path / "sheet.csv"
        path.write_bytes(text.encode())
        return Sheet(
            path, (columns or ("name",)) if known else (), max_rows=100, max_cell_characters=bound
        )

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


@pytest.mark.parametrize(
    "body",
    [
        'batches/b,1,,,,"ana\r\nbatches/b,2,,,,bob\r\n',
        'batches/b,1,,,,"ana\r\nbatches/b,2,,,,"bob"\r\n',
        'batches/b,1,,,,"ana"x\r\n',
    ],
)
def test_a_quote_that_goes_wrong_swallows_no_rows(sheet, body):
    with pytest.raises(InputRefused, match="line 2 of the sheet cannot be read") as refused:
        list(sheet(f"{LEADING},name\r\n{body}").rows())
    assert "quote" in (refused.value.hint or "")


def test_a_cell_too_many_is_refused_as_those_before_it_may_have_moved(sheet):
    body = "batches/b,1,,,,Meier, Ana\r\n"
    with pytest.raises(InputRefused, match="line 2 of the sheet has more cells than its header"):
        list(sheet(f"{LEADING},name\r\n{body}").rows())
    (row,) = sheet(f"{LEADING},name\r\nbatches/b,1,,,,ana,,\r\n").rows()
    assert row.cells == {"name": "ana"}


@pytest.mark.parametrize("own", [("Errors",), ("errors", "Batch", "Row Number", "Etag", "Raw Row")])
def test_columns_of_the_file_keep_their_names_beside_the_leading_ones(sheet, own):
    lead, cells = leading_columns(own), [f"own {name}" for name in own]
    assert not {name.casefold() for name in lead} & {name.casefold() for name in own}
    # The person moves the columns of the file to the front.
    table = ["text", *own, *lead], ["ana", *cells, "batches/b", "7", "", "wrong", ""]
    text = "\r\n".join(map(",".join, table))
    assert sheet(text, known=False).batch() == "b"
    (row,) = sheet(text, *own, "text").rows()
    assert (row.number, row.cells) == (7, {**dict(zip(own, cells, strict=True)), "text": "ana"})


def test_a_leading_name_is_told_from_its_like_before_the_columns_are_known(sheet):
    own = ("Steward Batch", "Steward Row Number")
    lead = leading_columns(own)
    assert lead[:2] == ("Steward Steward Batch", "Steward Steward Row Number")
    text = f"{','.join(own)},{','.join(lead)}\r\nmine,5,batches/b,7,,,\r\n"
    assert sheet(text, known=False).batch() == "b"


@pytest.mark.parametrize("name", ["name", "Row Number", "Etag"])
def test_a_column_that_stands_twice_is_refused_by_its_name(sheet, name):
    text = f"{LEADING},name,{name}\r\nbatches/b,1,,,,ana,2\r\n"
    with pytest.raises(InputRefused, match=f"the column '{name}' twice"):
        list(sheet(text).rows())


def test_notes_without_a_name_or_with_the_same_one_do_not_matter(sheet):
    (row,) = sheet(f"{LEADING},name,,,note,note\r\nbatches/b,1,,,,ana,1,2,3,4\r\n").rows()
    assert row.cells == {"name": "ana"}


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_the_line_that_names_the_delimiter_for_excel_is_none_of_the_sheet(sheet, mark, delimiter):
    lines = f"{LEADING},name\r\nbatches/b,1,,,,ana\r\n".replace(",", delimiter)
    (row,) = sheet(f"{mark}sep={delimiter}\r\n{lines}").rows()
    assert (row.line, row.number, row.cells) == (2, 1, {"name": "ana"})


def test_a_bound_on_cells_that_is_smaller_than_the_leading_ones_refuses_no_sheet(sheet):
    (row,) = sheet(f"{LEADING},name\r\nbatches/b,1,,{'e' * 32_766},{'r' * 32_766},ana\r\n").rows()
    assert row.number == 1


def test_the_longest_cell_comes_back_with_its_apostrophe(sheet):
    text = "=" * 40_000
    (row,) = sheet(f"{LEADING},name\r\nbatches/b,1,,,,'{text}\r\n", bound=40_000).rows()
    assert row.cells == {"name": text}
    with pytest.raises(InputRefused, match="larger than field limit"):
        list(sheet(f"{LEADING},name\r\nbatches/b,1,,,,'={text}\r\n", bound=40_000).rows())


@pytest.mark.parametrize("blanks", [" ", "\t", "\ufeff", " \ufeff ", "\u00a0"])
def test_a_column_is_known_by_its_name_as_the_engine_cleans_it(sheet, blanks):
    (row,) = sheet(f"{LEADING},{blanks}name{blanks}\r\nbatches/b,1,,,,ana\r\n").rows()
    assert row.cells == {"name": "ana"}
