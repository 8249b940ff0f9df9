"""What the benchmark of payloads judges is what it says."""

from collections import Counter

import pytest

from benchmarks.payloads.agreement import invalid_count, vectors
from benchmarks.payloads.generate import LINES_SCHEMA, NAMES, Generator, lines_file


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_payloads_are_of_all_schemas_of_the_size_that_is_asked_for_and_invalid_in_their_share(
    share,
):
    payloads = list(Generator("test").payloads(1800, share))
    assert Counter(each.schema for each in payloads) == dict.fromkeys(NAMES, 200)
    assert 295 < sum(len(each.text) for each in payloads) / len(payloads) < 335
    assert abs(invalid_count(payloads) / len(payloads) - share) < 0.04
    assert payloads == list(Generator("test").payloads(1800, share))


def test_lines_repeat_valid_payloads_of_one_schema_as_often_as_is_asked_for(tmp_path):
    path = lines_file(tmp_path, 3000, 0.0, distinct=2000)
    lines = path.read_bytes().splitlines()
    assert len(lines) == 3000
    assert len(set(lines)) == 2000
    written = path.stat().st_mtime_ns
    assert lines_file(tmp_path, 3000, 0.0).stat().st_mtime_ns == written
    assert LINES_SCHEMA in path.name


def test_each_vector_is_told_by_the_rule_that_it_tests():
    rules = Counter(each.rule for each in vectors() if not each.valid)
    assert {"date-time", "email", "uri", "uuid", "enum", "required", "maximum"} <= rules.keys()
    assert "format" not in rules
