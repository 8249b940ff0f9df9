"""Plain dumps, run by psql as the worker runs them: what hostile ones may not do, and where others are wrong."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from stewardd.backup.dump_files.found_file import DumpFileFinder
from stewardd.backup.dump_files.places import DumpPlaces, DumpRoot
from stewardd.backup.restoring.options import RestoreOptions
from stewardd.backup.restoring.request import RestoreRequest
from stewardd.errors import DumpRunsCommands, InputRefused, StatementFailed

from tests.support.dump_files import (
    END,
    HEAD,
    NOT_A_COMMAND,
    hostile_dumps,
    run_plain,
)
from tests.support.sql import databases, rows


@pytest.mark.parametrize("major", ["18", "15"])
async def test_no_command_of_a_hostile_dump_is_run(embedded_server, live, inbox, programs, major):
    psql = programs / "psql" if major == "18" else Path("/usr/lib/postgresql/15/bin/psql")
    if not psql.exists():
        pytest.skip("PostgreSQL 15 is not installed")
    marker, path = inbox / "marker", inbox / "dump.sql"
    for what, text in hostile_dumps(marker).items():
        path.write_text(text)
        error = StatementFailed if what in NOT_A_COMMAND else DumpRunsCommands
        with pytest.raises(error, match=r"line \d+ of the dump") as refused:
            await run_plain(live, psql, path)
        assert not marker.exists(), what
        line = int(re.findall(r"line (\d+)", refused.value.message)[0])
        assert line <= text.count("\n"), what
        if error is DumpRunsCommands:
            assert "\\" in text.splitlines()[line - 1], what
    assert databases(live) >= {live.database}
    assert rows(live, "SELECT count(*) FROM pg_class WHERE relname = 't'") == [(0,)]


async def test_an_error_in_the_middle_names_its_line_and_no_value(live, inbox, programs):
    path, table = inbox / "dump.sql", "CREATE TABLE t (a int);\n"
    for text, told in (
        (f"{table}INSERT INTO t VALUES ('secret');\n", "line 6 .*type integer"),
        (f"{table}COPY t FROM stdin;\n1\nsecret\n\\.\n", "line 9 .*type integer"),
        ("DROP TABLE nothing;\n", 'line 5 .*table "nothing" does not exist'),
        ("SET client_encoding = 'UTF8';\nSELECT '\udcff';\n", "invalid byte sequence for encoding"),
    ):
        path.write_bytes(f"{HEAD}{text}{END}".encode(errors="surrogateescape"))
        with pytest.raises(StatementFailed, match=told) as refused:
            await run_plain(live, programs / "psql", path)
        assert "secret" not in str(refused.value)
    assert rows(live, "SELECT count(*) FROM pg_class WHERE relname = 't'") == [(0,)]


async def test_a_file_that_changes_between_the_readings_is_not_restored(live, inbox, programs):
    path = inbox / "dump.sql"
    path.write_text(f"{HEAD}CREATE TABLE t (a int);\n{END}")

    def change() -> None:
        path.write_text(f"{HEAD}CREATE TABLE u (a int);\n{END}")

    with pytest.raises(InputRefused, match="was changed while it was read"):
        await run_plain(live, programs / "psql", path, between=change)
    assert rows(live, "SELECT count(*) FROM pg_class WHERE relname IN ('t', 'u')") == [(0,)]


async def test_a_file_that_changes_behind_the_first_look_is_not_read_on(inbox):
    path = inbox / "dump.sql"
    path.write_text("SELECT 1;\n")
    request = RestoreRequest(dump_uri=path.as_uri(), accepts_unknown_signer=True)
    found = await DumpFileFinder(DumpPlaces([DumpRoot(str(inbox))])).find(request)
    path.write_text("SELECT 1, 2;\n")
    with pytest.raises(InputRefused, match="was changed while it was read"):
        await found.examined(RestoreOptions(), lambda _: None)
