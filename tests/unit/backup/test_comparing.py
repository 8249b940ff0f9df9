"""What is told of the tables of a restored database that are not as they were when they were dumped."""

from __future__ import annotations

import pytest
from stewardd.backup.manifest.backup import DumpForm
from stewardd.backup.manifest.contents import BackupContents, BackupTable
from stewardd.backup.verifying.comparing import compare_tables, recorded_tables
from stewardd.postgres.dump_catalog import TableName
from stewardd.postgres.table_proof import METHODS, TableProof

PEOPLE = TableName("public", "people")


def contents(method: str) -> BackupContents:
    table = BackupTable(schema="public", name="people", rows=2, hash="00" * 16)
    return BackupContents(DumpForm.DIRECTORY, method=method, tables=(table,))


def told(method: str, found: dict[TableName, TableProof]) -> list[str]:
    return [str(each) for each in compare_tables(recorded_tables(contents(method)), found)]


@pytest.mark.parametrize("method", sorted(METHODS))
def test_a_table_is_missing_has_other_rows_or_other_values(method):
    assert told(method, {}) == [f"table {PEOPLE} is missing"]
    assert told(method, {PEOPLE: TableProof(3, "00" * 16)}) == [
        f"table {PEOPLE} has 3 rows, and 2 were dumped"
    ]
    (text,) = told(method, {PEOPLE: TableProof(2, "11" * 16)})
    assert "has other values" in text
    assert told(method, {PEOPLE: TableProof(2, "00" * 16)}) == []


def test_hashes_of_another_method_are_no_difference():
    assert told("of a later version", {PEOPLE: TableProof(2, "11" * 16)}) == []
    assert told("of a later version", {PEOPLE: TableProof(1, None)}) != []
