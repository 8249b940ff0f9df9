"""Plain dumps that try to run something, as somebody would write them who wants a shell on the daemon's machine."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from stewardd.backup.dump_files.file_worker import DumpFileWorker
from stewardd.backup.dump_files.protocol import DumpFileJob, FileExamined, FileRestore
from stewardd.postgres.target import DatabaseTarget

OWN_KEY = "a" * 63
HEAD = "--\n-- PostgreSQL database dump\n--\n\n"
END = "\n--\n-- PostgreSQL database dump complete\n--\n"


def hostile_dumps(marker: Path) -> dict[str, str]:
    """Dumps by what they try; each would make the file `marker` if it were run by a psql that is not restricted."""
    touch = f"touch {marker}"
    commands = {
        "a shell": f"\\! {touch}",
        "a copy from a program": f"CREATE TABLE t (a text);\n\\copy t from program '{touch}'",
        "a copy to a program": f"\\copy (select 1) to program '{touch}'",
        "output to a program": f"\\o |{touch}\nSELECT 1;",
        "a query to a program": f"SELECT 1 \\g |{touch}",
        "a variable from a program": f"\\set x `{touch}`",
        "the history to a file": f"\\s {marker}",
        "a query to a file": f"SELECT 1 \\g {marker}",
        "another file": "\\i /etc/hostname",
        "another database": "SELECT 1;\n\\connect template1",
        "a statement from a query": f"SELECT format('COPY (SELECT 1) TO PROGRAM %L', '{touch}') \\gexec",
        "a guessed key": f"\\unrestrict guessed\n\\! {touch}",
        "no key": f"\\unrestrict\n\\! {touch}",
        "a restriction of its own": f"\\restrict {OWN_KEY}\n\\unrestrict {OWN_KEY}\n\\! {touch}",
        "after rows": f"CREATE TABLE t (a text);\nCOPY t FROM stdin;\nx\n\\.\n\\! {touch}",
        "in rows that do not end": f"CREATE TABLE t (a int);\nCOPY t FROM stdin;\nx\n\\! {touch}\n\\.\n",
        "behind a quote that does not end": f"SELECT 'x\n\\! {touch}\n';\n\\! {touch}",
        "behind a statement": f"SELECT 1; \\! {touch}",
    }
    dumps = {
        what: f"{HEAD}SET statement_timeout = 0;\n{text}\n{END}" for what, text in commands.items()
    }
    own = f"{HEAD}\\restrict {OWN_KEY}\n\n"
    dumps["behind its own pair"] = f"{own}\\unrestrict {OWN_KEY}\n\\! {touch}\n{END}"
    dumps["a pair and a second key"] = (
        f"{own}\\restrict second\n\\! {touch}\n{END}\\unrestrict {OWN_KEY}\n"
    )
    return dumps


NOT_A_COMMAND = frozenset({"in rows that do not end"})
"""What ends as an error of the server: the line stands in rows."""


async def run_plain(
    target: DatabaseTarget, psql: Path, path: Path, between: Callable[[], None] = lambda: None
) -> None:
    """Runs a plain dump in a database as the worker does, in this process; `between` its two readings."""
    examined = await DumpFileWorker(job_for(path), lambda _: None).run()
    assert isinstance(examined, FileExamined)
    into = FileRestore(
        form=examined.form,
        sha256=examined.sha256,
        database=target.name,
        conninfo=target.conninfo,
        program=str(psql),
        arguments=("--single-transaction",) if examined.fits_transaction else (),
        settings={},
        own_key=examined.own_key,
        leaves_setting_out=examined.sets_newer_setting,
        list_file="",
        role_map={},
        staging="",
        reserve_bytes=0,
    )
    between()
    await DumpFileWorker(job_for(path, into), lambda _: None).run()


def job_for(path: Path, into: FileRestore | None = None) -> DumpFileJob:
    """A job for a file in a root of its own."""
    return DumpFileJob(os.getpid(), path.as_uri(), ((str(path.parent), {}),), 60.0, into)
