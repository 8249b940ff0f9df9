"""The dump file that a restore names: found by its URI, looked at, read to its end, and put into a database.

It stands where a backup of steward stands in every restore (restoring/dump.py), with the same plan, the same turn and
the same undoing; it only has nothing to compare with.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from stewardd.backup.dump_files.look import DumpLook, look_at
from stewardd.backup.dump_files.places import DumpPlaces, changed
from stewardd.backup.dump_files.protocol import (
    MESSAGES,
    DumpFileJob,
    FileEvent,
    FileExamined,
    FileRestore,
    FileRestored,
)
from stewardd.backup.dump_files.psql import with_restricted_psql
from stewardd.backup.restoring.documents import DumpFileRecord, FileForm
from stewardd.backup.restoring.options import (
    RestoreOptions,
    RestoreProgress,
    RestoreResult,
)
from stewardd.backup.restoring.plan import DumpFacts
from stewardd.backup.restoring.request import RestoreRequest, RestoreRoles
from stewardd.backup.restoring.restore import Report, pg_restore_arguments, staging_folder
from stewardd.backup.restoring.roles import roles_of
from stewardd.backup.restoring.selection import ChosenEntries, choose_entries
from stewardd.backup.restoring.table_of_contents import TocEntry
from stewardd.backup.worker.process import WorkerTask, run_worker
from stewardd.errors import InvalidRequest
from stewardd.postgres.binaries import major_of
from stewardd.postgres.probe import Sight, probe
from stewardd.postgres.restoring.databases import DatabaseLocale
from stewardd.postgres.target import DatabaseTarget
from stewardd.postgres.tools import (
    SETS_TRANSACTION_TIMEOUT_FROM,
    ClientTools,
    choose_tools,
    find_tools,
)

R = TypeVar("R", FileExamined, FileRestored)

_MODULE = "stewardd.backup.dump_files.worker"
_EXTENSION = "EXTENSION"
_FOREIGN_KEY = "FK CONSTRAINT"
_SQL_ASCII = "SQL_ASCII"
_PROBE_TIMEOUT_S = 5.0
_CLAUSE = re.compile(
    r"\b(ENCODING|LOCALE_PROVIDER|LOCALE|LC_COLLATE|LC_CTYPE|ICU_LOCALE|BUILTIN_LOCALE) = (?:'((?:[^']|'')*)'|(\w+))"
)
_CLIENT_ENCODING = re.compile(r"SET client_encoding = '([^']*)'")


@dataclass(frozen=True, slots=True)
class FoundDumpFile:
    """A dump file, with what is known of it: after a look the beginning, after an examination all of it."""

    places: DumpPlaces
    request: RestoreRequest
    look: DumpLook
    chosen: ChosenEntries | None = None
    whole: FileExamined | None = None

    @property
    def name(self) -> str:
        """Its URI."""
        return self.request.dump_uri

    @property
    def database(self) -> str:
        """A file is of no configured database."""
        return ""

    @property
    def facts(self) -> DumpFacts:
        """What a plan depends on; of a plain dump all roles are known only when it was read to its end."""
        found = DumpFacts(
            stored_size_bytes=self.look.size_bytes,
            dump_size_bytes=self.whole.dump_size_bytes if self.whole else 0,
            database_size_bytes=max(
                self.look.size_bytes, self.whole.dump_size_bytes if self.whole else 0
            ),
            file=self._file,
        )
        if self.chosen is not None:
            return self._with_archive(found, self.chosen)
        known = self.whole or self.look.sql
        if known is None:
            return found
        return replace(
            found,
            source_version=known.server_version,
            tables=known.tables if self.whole else 0,
            roles=frozenset(known.roles),
            extensions=frozenset(known.extensions),
        )

    def _with_archive(self, facts: DumpFacts, chosen: ChosenEntries) -> DumpFacts:
        table = self.look.table
        return replace(
            facts,
            source_version=table.server_version if table else "",
            tables=len(chosen.tables),
            roles=roles_of(
                chosen.entries, with_owners=self.request.roles is not RestoreRoles.IGNORE
            ),
            extensions=frozenset(e.name for e in chosen.entries if e.kind == _EXTENSION),
            left_out=tuple(
                f"{e.schema}.{e.name}" for e in chosen.left_out if e.kind == _FOREIGN_KEY
            ),
        )

    @property
    def _file(self) -> DumpFileRecord:
        look, table = self.look, self.look.table
        sql = self.whole or look.sql
        return DumpFileRecord(
            uri=self.request.dump_uri,
            form=look.form,
            packing=look.packing,
            size_bytes=look.size_bytes,
            tool_version=table.tool_version if table else sql.tool_version if sql else "",
            encoding=_encoding_of(table.entries) if table else sql.encoding if sql else "",
            sha256=self.whole.sha256 if self.whole else "",
        )

    @property
    def locale(self) -> DatabaseLocale:
        """That of the dumped database, as an archive has it. Of a plain dump the server converts the text.

        Text of SQL_ASCII has no encoding from which it could be converted, and fits no other database.
        """
        if self.look.table is not None:
            return _locale_of(self.look.table.entries)
        if self._file.encoding.upper() == _SQL_ASCII:
            return DatabaseLocale(_SQL_ASCII, "libc", "C", "C")
        return DatabaseLocale()

    def expected(self, request: RestoreRequest, *, is_added: bool) -> None:
        """Nothing was read of it when it was made, as far as anybody can prove."""

    @property
    def not_compared(self) -> tuple[str, ...]:
        """All of them; the result says so in one sentence."""
        return ()

    async def tools(self, sight: Sight, tools_dir: Path | None) -> ClientTools:
        """A pg_restore older than neither the server nor the archive's pg_dump; or a psql that can be restricted.

        Raises: ToolMissing.
        """
        table = self.look.table
        wanted = max(sight.major, major_of(table.tool_version) if table else 0)
        found = await find_tools(tools_dir)
        if self.look.form is FileForm.SQL:
            found = await with_restricted_psql(found)
        return choose_tools(wanted, found, needs_tls=sight.tls, needs_gss=sight.gss)

    async def examined(self, options: RestoreOptions, report: Report) -> FoundDumpFile:
        """Reads it to its end, and says what that tells.

        Raises: DumpUnreadable where it is cut off, damaged or of several databases; UriRefused, InputRefused,
        Exhausted.
        """
        whole = await _run_worker(
            self._job(options.max_duration_s), FileExamined, _hearing(report, 0)
        )
        if (whole.form, whole.size_bytes) != (self.look.form, self.look.size_bytes):
            raise changed()
        return replace(self, whole=whole)

    async def restore(
        self, target: DatabaseTarget, tools: ClientTools, options: RestoreOptions, report: Report
    ) -> RestoreResult:
        """Puts it into a database.

        Raises: DumpUnreadable, DumpRunsCommands, StatementFailed, RolesMissing, DatabaseDown, DatabaseRefused,
        StorageFull, InputRefused, ToolFailed, ToolMissing, Exhausted.
        """
        if self.whole is None:
            raise ValueError("a dump file is restored after it was examined")
        is_sql = self.look.form is FileForm.SQL
        async with staging_folder(options.staging_dir) as staging:
            into = FileRestore(
                form=self.look.form,
                sha256=self.whole.sha256,
                database=target.name,
                conninfo=target.conninfo,
                program=tools.program("psql" if is_sql else "pg_restore"),
                arguments=self._arguments(options),
                settings=dict(options.settings),
                own_key=self.whole.own_key,
                leaves_setting_out=self.whole.sets_newer_setting
                and (await probe(target, _PROBE_TIMEOUT_S)).major < SETS_TRANSACTION_TIMEOUT_FROM,
                list_file=self._list_file,
                role_map=dict(options.role_map),
                staging=str(staging),
                reserve_bytes=options.reserve_bytes,
            )
            ended = await _run_worker(
                self._job(options.max_duration_s, into),
                FileRestored,
                _hearing(report, self.facts.tables),
            )
        tables = self.whole.tables if is_sql else ended.restored_tables
        return RestoreResult((), "", tables, ended.read_bytes, 0.0, ended.elapsed_s)

    def _job(self, max_duration_s: float, restore: FileRestore | None = None) -> DumpFileJob:
        roots = tuple((root.url, dict(root.options)) for root in self.places.roots)
        return DumpFileJob(os.getpid(), self.request.dump_uri, roots, max_duration_s, restore)

    def _arguments(self, options: RestoreOptions) -> tuple[str, ...]:
        if self.look.form is FileForm.SQL:
            fits = self.whole is not None and self.whole.fits_transaction
            return ("--single-transaction",) if fits else ()
        jobs = options.jobs if self.look.form is FileForm.TAR else 1
        return (*pg_restore_arguments(options), *([f"--jobs={jobs}"] if jobs > 1 else []))

    @property
    def _list_file(self) -> str:
        is_whole = self.chosen is None or self.request.selection.is_whole
        return "" if is_whole or self.chosen is None else self.chosen.list_file


class DumpFileFinder:
    """Finds dump files below the configured roots."""

    def __init__(self, places: DumpPlaces) -> None:
        self._places = places

    async def find(self, request: RestoreRequest) -> FoundDumpFile:
        """Looks at the file that a request names.

        Raises: UriRefused, DumpUnreadable, InvalidRequest for what a dump of its form cannot do, RepositoryDown.
        """
        look = await look_at(self._places, request.dump_uri)
        if look.table is None:
            _check_plain(request)
            return FoundDumpFile(self._places, request, look)
        return FoundDumpFile(self._places, request, look, _chosen(request, look.table.entries))


async def _run_worker(job: DumpFileJob, result: type[R], hear: Callable[[FileEvent], None]) -> R:
    task = WorkerTask(_MODULE, MESSAGES, job, result, job.called, job.max_duration_s, job.secrets)
    return await run_worker(task, hear)


def _check_plain(request: RestoreRequest) -> None:
    """Refuses what only an archive can do: a plain dump is one text, which is run as it is."""
    asked = (
        (not request.selection.is_whole, "selection", "no part of it can be chosen"),
        (bool(request.role_map), "role_map", "no other roles can be put in it"),
        (request.roles is RestoreRoles.IGNORE, "roles", "owners and rights cannot be left out"),
    )
    for is_asked, field_name, why in asked:
        if is_asked:
            raise InvalidRequest(
                f"a plain dump is run as it is: {why}",
                field=field_name,
                hint="have it made as an archive: pg_dump --format=custom",
            )


def _chosen(request: RestoreRequest, entries: tuple[TocEntry, ...]) -> ChosenEntries:
    if request.selection.is_whole:
        return ChosenEntries(entries, ())
    return choose_entries(
        entries, schemas=request.selection.schemas, tables=request.tables, with_needs=True
    )


def _hearing(report: Report, total_tables: int) -> Callable[[FileEvent], None]:
    def hear(event: FileEvent) -> None:
        if isinstance(event, RestoreProgress):
            report(replace(event, total_tables=total_tables))

    return hear


def _encoding_of(entries: tuple[TocEntry, ...]) -> str:
    for entry in entries:
        if entry.kind == "ENCODING" and (found := _CLIENT_ENCODING.search(entry.definition)):
            return found[1]
    return ""


def _locale_of(entries: tuple[TocEntry, ...]) -> DatabaseLocale:
    """How the dumped database was made, by the statement of which an archive always has one."""
    statement = next((each.definition for each in entries if each.kind == "DATABASE"), "")
    found = {
        clause: literal.replace("''", "'") or word
        for clause, literal, word in _CLAUSE.findall(statement)
    }
    general = found.get("LOCALE", "")
    return DatabaseLocale(
        encoding=found.get("ENCODING", ""),
        provider=found.get("LOCALE_PROVIDER", ""),
        collation=found.get("LC_COLLATE", general),
        character_type=found.get("LC_CTYPE", general),
        locale=found.get("ICU_LOCALE", "") or found.get("BUILTIN_LOCALE", ""),
    )
