"""A script is cut at its semicolons, and at no other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stewardd.migrations.statements import ScriptUnreadable, split, tokens


@pytest.mark.parametrize(
    ("script", "texts"),
    [
        ("SELECT 1; SELECT 2", ["SELECT 1", "SELECT 2"]),
        ("SELECT ';' ; SELECT \";\"", ["SELECT ';'", 'SELECT ";"']),
        ("SELECT 'it''s; one' ;", ["SELECT 'it''s; one'"]),
        (r"SELECT E'a\';b'; SELECT 'a\'; SELECT 2", [r"SELECT E'a\';b'", r"SELECT 'a\'", "SELECT 2"]),
        ("DO $$ BEGIN; END $$; SELECT 1", ["DO $$ BEGIN; END $$", "SELECT 1"]),
        ("DO $a$ $$ ; $$ $a$;", ["DO $a$ $$ ; $$ $a$"]),
        ("SELECT a$1; SELECT $1", ["SELECT a$1", "SELECT $1"]),
        ("SELECT 1 -- ; no\n; SELECT 2", ["SELECT 1", "SELECT 2"]),
        ("SELECT /* ; /* ; */ ; */ 1; SELECT 2", ["SELECT /* ; /* ; */ ; */ 1", "SELECT 2"]),
        ("CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2); SELECT 3",
         ["CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2)", "SELECT 3"]),
        ("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END; SELECT 3",
         ["CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END", "SELECT 3"]),
        ("CREATE OR REPLACE PROCEDURE p() BEGIN ATOMIC SELECT 1; END; SELECT 2",
         ["CREATE OR REPLACE PROCEDURE p() BEGIN ATOMIC SELECT 1; END", "SELECT 2"]),
        ("-- nothing\n;;  ;", []),
        ("", []),
    ],
)  # fmt: skip
def test_a_script_is_cut_into_its_statements(script, texts):
    assert [statement.text for statement in split(script)] == texts


def test_a_statement_knows_its_line():
    assert [each.line for each in split("-- head\n\nSELECT 1;\n/* a\nb */ SELECT\n2")] == [3, 5]


@pytest.mark.parametrize(
    "script", ["SELECT 'a", 'SELECT "a', "SELECT $x$ a", "/* a /* b */", "SELECT E'a\\'"]
)
def test_a_quote_that_does_not_end_is_named(script):
    with pytest.raises(ScriptUnreadable, match="that begins on line 1 does not end"):
        split(script)


def test_code_is_the_same_whatever_the_comments_and_blanks():
    one = split("CREATE  TABLE t( -- the table\n a int )")[0]
    other = split("CREATE TABLE t(\n\n  a /* x */ int )")[0]
    assert one.code == other.code == "CREATE TABLE t( a int )"
    assert split("SELECT 'a  b'")[0].code != split("SELECT 'a b'")[0].code


@given(st.text(alphabet="aE'\"$;-*/\n ()x1", max_size=40))
def test_every_character_stands_in_one_piece(script):
    try:
        pieces = list(tokens(script))
    except ScriptUnreadable:
        return
    assert "".join(piece.text for piece in pieces) == script
    assert all(each.text in script and each.code for each in split(script))
