"""The states of rows in four bytes each, against a dictionary."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stewardd.batches.states import MAX_ATTEMPT, RowState, RowStates, State
from stewardd.errors import Corrupt

NUMBERS = st.one_of(st.integers(1, 300), st.integers(65_500, 65_600), st.integers(1, 2**40))
VALUES = st.builds(
    RowState, st.sampled_from(list(State)), st.integers(0, MAX_ATTEMPT), st.booleans()
)
TABLES = st.dictionaries(NUMBERS, VALUES, max_size=50)


def states_of(table):
    return RowStates.of(sorted(table.items()))


@given(TABLES, TABLES)
def test_what_is_laid_over_wins_and_the_old_states_stay_as_they_were(below, above):
    first, second = states_of(below), states_of(above)
    both = first.overlaid(second)
    assert dict(both) == below | above
    assert dict(first) == below
    assert [number for number, _ in both] == sorted(below | above)
    for state in State:
        assert both.count(state) == sum(v.state is state for v in (below | above).values())


@given(TABLES)
def test_bytes_come_back_as_they_were(table):
    assert dict(RowStates.from_bytes(states_of(table).to_bytes())) == table


@given(TABLES, NUMBERS)
def test_a_row_that_is_not_there_is_open_and_untouched(table, number):
    assert states_of(table)[number] == table.get(number, RowState())


def test_rows_out_of_order_and_bytes_that_are_none_are_refused():
    with pytest.raises(ValueError, match="out of order"):
        RowStates.of([(2, RowState()), (1, RowState())])
    body = states_of({1: RowState(State.RESOLVED, 1), 2: RowState()}).to_bytes()
    for broken in (b"", body[:-1], b"X" + body):
        with pytest.raises(Corrupt):
            RowStates.from_bytes(broken)


def test_five_million_rows_fit_into_a_few_bytes_each():
    tracemalloc.start()
    try:
        spread = RowStates.of((n * 7, RowState(State.RESOLVED, 1)) for n in range(1, 200_001))
        assert tracemalloc.get_traced_memory()[0] < 200_000 * 10
    finally:
        tracemalloc.stop()
    assert len(spread) == 200_000


def test_the_first_row_of_a_state_is_found_from_any_number_on():
    numbers = [3, 65_535, 65_536, 65_540, 200_000]
    states = RowStates.of(
        (number, RowState(State.RESOLVED if number % 2 else State.DISCARDED)) for number in numbers
    )
    for state, wanted in ((State.RESOLVED, numbers[:2]), (State.DISCARDED, numbers[2:])):
        for start in (1, *numbers, *(number + 1 for number in numbers)):
            expected = next((number for number in wanted if number >= start), None)
            assert states.first(state, start) == expected
