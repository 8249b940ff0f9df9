"""Statements in DO blocks, function bodies and EXECUTE are found, with their lines."""

from __future__ import annotations

import pytest
from stewardd.migrations.lint.advice import advice
from stewardd.migrations.lint.bodies import embedded_statements
from stewardd.migrations.statements import split

CASES = [
    ("ALTER TABLE t ADD a int", []),
    ("DO $$ BEGIN ALTER TABLE t ADD a int; END $$", [("ALTER TABLE t ADD a int", 1)]),
    ("DO LANGUAGE plpgsql $x$\nBEGIN\n  DROP TABLE t;\nEND $x$", [("DROP TABLE t", 3)]),
    ("DO 'BEGIN PERFORM 1; DROP TABLE \"it''s\"; END'", [("DROP TABLE \"it's\"", 1)]),
    ("DO $$ BEGIN IF a THEN DROP TABLE t; ELSE DROP TABLE u; END IF; END $$",
     [("DROP TABLE t", 1), ("DROP TABLE u", 1)]),
    ("DO $$ BEGIN FOR r IN SELECT 1 LOOP UPDATE t SET a = 1; END LOOP; END $$", [("UPDATE t SET a = 1", 1)]),
    ("DO $$ BEGIN EXECUTE 'DROP INDEX i'; END $$", [("DROP INDEX i", 1)]),
    ("DO $$ BEGIN\nEXECUTE format('DROP INDEX %I', name); END $$", [("DROP INDEX placed", 2)]),
    ("CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS $$ DELETE FROM t; SELECT 1 $$",
     [("DELETE FROM t", 1)]),
    ("CREATE PROCEDURE p() LANGUAGE sql\nBEGIN ATOMIC\n  INSERT INTO t VALUES (1);\nEND",
     [("INSERT INTO t VALUES (1)", 3)]),
    ("CREATE FUNCTION f() RETURNS int LANGUAGE c AS 'lib', 'symbol'", []),
    ("DO $$ BEGIN RAISE NOTICE 'DROP TABLE t'; END $$", []),
    ("COMMENT ON TABLE t IS 'DROP TABLE t;'", []),
    ("DO $$ BEGIN -- DROP TABLE t;\nPERFORM 1; END $$", []),
]  # fmt: skip


@pytest.mark.parametrize(("text", "wanted"), CASES)
def test_what_stands_in_a_body_is_found_at_its_line(text, wanted):
    (statement,) = split(text)
    assert [(each.text, each.line) for each in embedded_statements(statement)] == wanted


def test_the_way_of_18_is_told_where_it_is_shorter():
    assert "CHECK" in advice("adding-not-nullable-field", 17, "")
    assert "ADD NOT NULL column NOT VALID" in advice("adding-not-nullable-field", 18, "")
    assert advice("a-rule-of-tomorrow", 18, "its own help") == "its own help"
