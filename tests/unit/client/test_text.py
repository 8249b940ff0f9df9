"""Text that comes from elsewhere, on its way to a terminal, and the header of a file on its way to the daemon."""

import csv
import io

from hypothesis import given
from hypothesis import strategies as st
from steward_client.command.header import columns
from steward_client.command.text import duration, plain, share, size

NAMES = st.lists(
    st.text(
        st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"),
        min_size=1,
        max_size=20,
    ).filter(lambda name: name == name.strip() and not set(name) & set(",;\t|")),
    min_size=2,
    max_size=6,
)


@given(st.text())
def test_what_is_shown_is_printable_and_what_is_printable_is_shown_as_it_is(text):
    assert plain(text).isprintable()
    if text.isprintable():
        assert plain(text) == text


@given(st.integers(0, 10**9), st.integers(1, 10**9))
def test_a_share_is_everything_or_nothing_only_where_it_is(part, whole):
    part = min(part, whole)
    assert (share(part, whole) == "100.0 %") == (part == whole)
    assert (share(part, whole) == "0.0 %") == (part == 0)


@given(st.floats(0, 10**9))
def test_every_length_of_time_has_words(elapsed_s):
    assert duration(elapsed_s)


@given(st.integers(0, 10**18))
def test_every_size_has_words(size_bytes):
    assert size(size_bytes)


@given(
    NAMES,
    st.sampled_from(",;\t|"),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_a_header_is_read_as_it_was_written(tmp_path_factory, names, delimiter, encoding, ending):
    written = io.StringIO(newline="")
    writer = csv.writer(written, delimiter=delimiter, lineterminator=ending)
    writer.writerow(names)
    writer.writerow(["1"] * len(names))
    path = tmp_path_factory.mktemp("header") / "f.csv"
    path.write_bytes(written.getvalue().encode(encoding))
    assert columns(str(path)) == names
