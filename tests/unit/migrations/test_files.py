"""A set of migrations is read whole or refused by name."""

from __future__ import annotations

import pytest
from stewardd.errors import MigrationNotFound, MigrationSetInvalid
from stewardd.migrations.files import Mode, read_set

VERIFY = "-- steward: after up\nSELECT true;\n-- steward: after down\nSELECT true;\n"


def add(folder, label, up="SELECT 1;", down="", verify=VERIFY, *, without=""):
    for part, text in (("up", up), ("down", down), ("verify", verify)):
        if part != without:
            (folder / f"{label}.{part}.sql").write_bytes(
                text.encode() if isinstance(text, str) else text
            )


def test_a_set_is_in_order_and_each_knows_what_it_rests_on(tmp_path):
    add(tmp_path, "0002_b", "SELECT 2;")
    add(tmp_path, "0001_a")
    (tmp_path / "README.md").write_text("not one of them")
    found = read_set(tmp_path)
    assert [each.label for each in found.migrations] == ["0001_a", "0002_b"]
    chain = found.numbered(2).chain_sha256
    add(tmp_path, "0001_a", "SELECT 3;")
    changed = read_set(tmp_path)
    assert changed.numbered(2).sha256 == found.numbered(2).sha256
    assert changed.numbered(2).chain_sha256 != chain
    with pytest.raises(MigrationNotFound, match="no migration 0003: the set has 2"):
        found.numbered(3)


def test_an_empty_folder_is_an_empty_set(tmp_path):
    assert len(read_set(tmp_path)) == 0


def test_line_ends_and_a_byte_order_mark_do_not_count(tmp_path):
    add(tmp_path, "0001_a", "SELECT 1;\nSELECT 2;\n")
    plain = read_set(tmp_path).numbered(1).sha256
    add(
        tmp_path,
        "0001_a",
        b"\xef\xbb\xbfSELECT 1;\r\nSELECT 2;\r",
        VERIFY and "",
        VERIFY.replace("\n", "\r\n"),
    )
    assert read_set(tmp_path).numbered(1).sha256 == plain


def test_a_comment_changes_the_file_and_not_its_code(tmp_path):
    add(tmp_path, "0001_a", "SELECT 1;")
    before = read_set(tmp_path).numbered(1)
    add(tmp_path, "0001_a", "-- why\nSELECT   1;")
    after = read_set(tmp_path).numbered(1)
    assert before.sha256 != after.sha256
    assert before.up.code_sha256 == after.up.code_sha256


@pytest.mark.parametrize("part", ["up", "down", "verify"])
def test_a_missing_file_is_named(tmp_path, part):
    add(tmp_path, "0001_a", without=part)
    with pytest.raises(MigrationSetInvalid, match=f"has no file 0001_a.{part}.sql"):
        read_set(tmp_path)


def test_a_gap_and_a_doubled_number_are_named(tmp_path):
    add(tmp_path, "0001_a")
    add(tmp_path, "0003_c")
    with pytest.raises(MigrationSetInvalid, match="has no migration 0002, and has 0003_c"):
        read_set(tmp_path)
    add(tmp_path, "0002_b")
    add(tmp_path, "0002_bb")
    with pytest.raises(MigrationSetInvalid, match="the number 0002: 0002_b and 0002_bb"):
        read_set(tmp_path)


@pytest.mark.parametrize(
    ("up", "said"),
    [
        ("-- nothing", "has no statement"),
        ("SELECT 'a", "line 1 does not end"),
        ("BEGIN; SELECT 1; COMMIT;", "line 1: BEGIN would end or begin a transaction"),
        ("SELECT 1;\nROLLBACK;", "line 2: ROLLBACK would"),
        ("PREPARE TRANSACTION 'x';", "PREPARE would"),
        ("\\i other.sql", "a command of psql"),
        ("COPY t FROM STDIN;", "COPY with the client"),
        ("-- steward: no-transactions\nSELECT 1;", "the directive 'no-transactions'"),
        ("-- steward: batch\n-- steward: no-transaction\nSELECT 1;", "exclude each other"),
        ("-- steward: no-transaction\nSELECT 1; SELECT 2;", "has 2 statements"),
        ("-- steward: batch\nCREATE TABLE t ();", "this one changes none"),
        (b"SELECT '\xff';", "is no UTF-8"),
        (b"SELECT '\x00';", "holds a NUL"),
    ],
)
def test_a_file_that_the_runner_cannot_take_is_refused_by_name(tmp_path, up, said):
    add(tmp_path, "0001_a", up)
    with pytest.raises(MigrationSetInvalid, match=said):
        read_set(tmp_path)


@pytest.mark.parametrize(
    "up", ["PREPARE p AS SELECT 1;", "SAVEPOINT a; ROLLBACK TO a;", "DO $$ BEGIN END $$;"]
)
def test_what_only_looks_like_the_end_of_a_transaction_is_taken(tmp_path, up):
    add(tmp_path, "0001_a", up)
    assert read_set(tmp_path).numbered(1).up.mode is Mode.TRANSACTION


@pytest.mark.parametrize(
    ("verify", "said"),
    [
        ("SELECT true;", "line 1: a query above the first"),
        ("-- steward: after down\nSELECT true;", "has no query that proves up"),
        ("-- steward: after up\nDELETE FROM t;", "line 2: not a query"),
    ],
)
def test_a_verify_file_that_proves_nothing_is_refused(tmp_path, verify, said):
    add(tmp_path, "0001_a", verify=verify)
    with pytest.raises(MigrationSetInvalid, match=said):
        read_set(tmp_path)


def test_a_name_that_is_none_is_refused(tmp_path):
    (tmp_path / "1_a.up.sql").write_text("SELECT 1;")
    with pytest.raises(MigrationSetInvalid, match=r"1_a\.up\.sql is not called"):
        read_set(tmp_path)


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(MigrationSetInvalid, match="cannot be read: No such file"):
        read_set(tmp_path / "nowhere")
