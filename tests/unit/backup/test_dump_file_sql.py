"""What is read of a plain dump before it is run, the lines that are taken out of it, and what psql says of it."""

from __future__ import annotations

import pytest
from stewardd.backup.dump_files.left_out_lines import NEWER_SETTING, LeftOutLines
from stewardd.backup.dump_files.psql import PsqlComplaints
from stewardd.backup.dump_files.sql_scan import SqlFacts, SqlScan
from stewardd.errors import (
    DatabaseRefused,
    DumpRunsCommands,
    DumpUnreadable,
    ExtensionsMissing,
    RolesMissing,
    StatementFailed,
)

KEY = "k" * 63
DUMP = f"""--
-- PostgreSQL database dump
--

\\restrict {KEY}

-- Dumped from database version 18.6
-- Dumped by pg_dump version 18.6 (Debian 18.6-1)

SET statement_timeout = 0;
SET transaction_timeout = 0;
SET client_encoding = 'LATIN1';
SELECT pg_catalog.set_config('search_path', '', false);

CREATE EXTENSION IF NOT EXISTS "odd ""one" WITH SCHEMA public;

CREATE FUNCTION public.f() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
GRANT SELECT ON TABLE public.t TO somebody_in_a_body;
END;
$$;
CREATE FUNCTION public.g() RETURNS text LANGUAGE sql AS $_$ SELECT '$$' $_$;

ALTER FUNCTION public.f() OWNER TO owner;
ALTER TABLE public.t OWNER TO "The ""Owner"" himself";

--
-- Data for Name: t; Type: TABLE DATA; Schema: public; Owner: owner
--

COPY public.t (a) FROM stdin;
ALTER TABLE public.t OWNER TO nobody;
\\\\.
\\.
COPY public.empty (a) FROM stdin;
\\.
COMMIT;
CREATE DATABASE mentioned;
GRANT SELECT ON TABLE public.t TO reader WITH GRANT OPTION;
GRANT SELECT ON TABLE public.t TO PUBLIC;
REVOKE ALL ON SCHEMA public FROM postgres;
ALTER DEFAULT PRIVILEGES FOR ROLE granter IN SCHEMA public GRANT SELECT ON TABLES TO other;

--
-- PostgreSQL database dump complete
--

\\unrestrict {KEY}

"""


def scanned(text: str, size: int = 1 << 16, newline: str = "\n") -> SqlFacts:
    data, scan = text.replace("\n", newline).encode(), SqlScan()
    for place in range(0, len(data), size):
        scan.feed(data[place : place + size])
    return scan.finish()


@pytest.mark.parametrize("size", [1, 7, 64, 1 << 16])
@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["unix", "windows"])
def test_a_plain_dump_says_what_a_restore_needs(size, newline):
    found = scanned(DUMP, size, newline)
    assert (found.server_version, found.tool_version) == ("18.6", "18.6")
    assert (found.encoding, found.own_key) == ("LATIN1", KEY)
    assert found.roles == {"owner", 'The "Owner" himself', "reader", "postgres", "granter", "other"}
    assert found.extensions == {'odd "one'}
    assert (found.tables, found.is_whole) == (1, True)
    assert not found.fits_transaction
    assert found.sets_newer_setting


def test_what_pg_dump_did_not_write_is_read_as_far_as_it_goes():
    found = scanned("create table t (a int);\nCOPY t FROM stdin;\n1\n\\.\n")
    assert (found.is_whole, found.tables, found.fits_transaction) == (None, 1, True)
    assert scanned("DO $x$\nBEGIN;\n$x$;\n").fits_transaction
    assert not scanned("begin;\nselect 1;\ncommit;").fits_transaction
    assert not scanned("CREATE UNIQUE INDEX CONCURRENTLY i ON t (a);").fits_transaction
    assert scanned("SELECT 1; -- " + "x" * 200_000 + "\nCREATE EXTENSION late;\n").extensions == {
        "late"
    }


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (DUMP[: DUMP.index("-- PostgreSQL database dump complete")], "cut off"),
        (DUMP[: DUMP.index("\\.\nCOPY")], "cut off"),
        ("SET x = 1;\nCREATE DATABASE other;\n\\connect other\n", "creates its database"),
        (
            "DROP DATABASE other;\nCREATE DATABASE other WITH TEMPLATE = template0;\n",
            "creates its database",
        ),
        ("SET x = 1;\n\\connect other\n", "creates its database"),
        ("\\c other\n", "creates its database"),
        ("SET x = 1;\n-- PostgreSQL database cluster dump\n", "pg_dumpall"),
    ],
    ids=["no-end", "in-rows", "create", "clean-create", "connect", "short-connect", "pg_dumpall"],
)
def test_a_dump_of_other_things_or_a_part_of_one_is_refused(text, why):
    with pytest.raises(DumpUnreadable, match=why):
        scanned(text)


def left(text: bytes, size: int, key: str = KEY, *, leaves_setting_out: bool = False) -> bytes:
    lines = LeftOutLines(key, leaves_setting_out=leaves_setting_out)
    found = b"".join(lines.feed(text[place : place + size]) for place in range(0, len(text), size))
    return found + lines.finish()


@pytest.mark.parametrize("size", [1, 5, 80, 1 << 16])
def test_only_the_pair_of_the_dumps_own_key_is_taken_out_and_lines_keep_their_numbers(size):
    pair = f"\\restrict {KEY}\na\n\\unrestrict {KEY}\r\n".encode()
    others = (
        b"x \\restrict "
        + KEY.encode()
        + b"\n\\restrict other\n\\unrestrict "
        + KEY.encode()
        + b" x\n"
        b"\\restrict "
        + KEY.encode()
        + b"y\n"
        + b"z" * 300
        + b"\\restrict "
        + KEY.encode()
        + b"\nend"
    )
    assert left(pair + others, size) == b"\na\n\r\n" + others + b"\n"
    assert left(others, size, key="") == others + b"\n"
    last = b"a\n\\unrestrict " + KEY.encode()
    assert left(last, size) == b"a\n\n"


@pytest.mark.parametrize("size", [1, 1 << 16])
def test_the_newer_setting_is_taken_out_once_where_the_server_does_not_know_it(size):
    line = NEWER_SETTING + b"\n"
    assert left(line + line, size, leaves_setting_out=True) == b"\n" + line + b"\n"
    assert left(line, size) == line + b"\n"


@pytest.mark.parametrize(
    ("said", "error", "told"),
    [
        ("ERROR:  42P01: relation \"x\" does not exist\nLINE 1: insert into x values ('secret')", StatementFailed,
         'line 11 of the dump: relation "x" does not exist'),
        ('ERROR:  22P02: invalid input syntax for type integer: "secret"', StatementFailed,
         "line 11 of the dump: invalid input syntax for type integer"),
        ('ERROR:  23505: duplicate key value violates unique constraint "t_pkey"\nDETAIL:  Key (a)=(secret)',
         StatementFailed, 'line 11 of the dump: duplicate key value violates unique constraint "t_pkey"'),
        ("ERROR:  P0001: secret is wrong", StatementFailed, "line 11 of the dump: the server refused a row"),
        ('ERROR:  42601: syntax error at or near "secret"', StatementFailed, "line 11 of the dump: syntax error"),
        ('FEHLER:  42P01: Relation "x" existiert nicht', StatementFailed,
         'line 11 of the dump: Relation "x" existiert nicht'),
        ('ERROR:  42704: role "app" does not exist', RolesMissing, 'line 11 of the dump: role "app" does not exist'),
        ('ERROR:  0A000: extension "x" is not available', ExtensionsMissing,
         'line 11 of the dump: extension "x" is not available'),
        ("ERROR:  42501: permission denied to COPY from an external program", DatabaseRefused,
         "line 11 of the dump: permission denied to COPY from an external program"),
        ("error: backslash commands are restricted; only \\unrestrict is allowed", DumpRunsCommands,
         "line 11 of the dump has a command of psql, which could run a shell"),
        ("error: \\unrestrict: wrong key", DumpRunsCommands,
         "line 11 of the dump tries to free psql from its restriction"),
    ],
    ids=[
        "relation", "value", "key", "raised", "syntax", "german", "role", "extension", "denied", "command", "wrong-key",
    ],
)  # fmt: skip
def test_what_stopped_psql_is_told_with_its_line_and_without_values(said, error, told):
    complaints = PsqlComplaints(lines_before=1)
    text = f"psql:<stdin>:3: WARNING:  25001: secret warning\npsql:<stdin>:12: {said}\nLOCATION:  x, y.c:1\n"
    for place in range(0, len(text), 10):
        complaints.feed(text[place : place + 10].encode())
    assert complaints.error is not None
    raised = complaints.error.raised()
    assert (type(raised), raised.message) == (error, told)
    assert "secret" not in raised.message
