"""A name that is not of its form is refused with an example of its form, which is one."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from stewardd.errors import InvalidRequest
from stewardd.rpc import names

PARSERS: dict[str, Callable[[str], object]] = {
    "batches/": lambda name: names.parse_uuid("batches", name),
    "backups/": lambda name: names.parse_uuid("backups", name),
    "databases/": names.parse_database,
    "operations/": lambda name: names.parse_uuid("operations", name),
    "batches/.*/files/": names.parse_batch_file,
    "batches/.*/rows/": names.parse_row,
    "batches/.*/exports/": names.parse_export,
    "schemas/.*/versions/": names.parse_schema,
    "schemas/": lambda name: names.parse_schema_id(name, field="schema"),
}


@pytest.mark.parametrize("form", PARSERS)
@pytest.mark.parametrize(
    "name", ["", "7", "nothing/7", "batches/x/rows/7", "batches/x/files/y", "schemas/a/b/c/d", "backups/2026-01-31"]
)  # fmt: skip
def test_it_is_refused_with_an_example_that_would_be_taken(form, name):
    with pytest.raises(InvalidRequest) as raised:
        PARSERS[form](name)
    example = re.search(r"for example (\S+)", raised.value.message)
    assert example is not None
    assert re.match(form, example[1])
    assert example[1] in raised.value.hint
    PARSERS[form](example[1])
