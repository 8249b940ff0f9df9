"""Lints the set of a database: its files, and what a trial on a scratch server shows of each migration.

Only a trial knows which statement writes a whole table anew, whether a verify file tests anything, and what a down file
drops that its up file did not make. A migration that does not run there is a finding, and ends the trial, not the lint.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from stewardd.migrations.dry_run import DryRun
from stewardd.migrations.files import Direction, Migration
from stewardd.migrations.lint import advice as rules
from stewardd.migrations.lint.finding import LintFinding, LintProgress, LintResult
from stewardd.migrations.lint.squawk import find_squawk, squawk_version
from stewardd.migrations.lint.static import lint_files
from stewardd.migrations.migrations import Migrations
from stewardd.migrations.progress import DryStatement
from stewardd.migrations.replay import (
    REPLAYED,
    MigrationTrialFailed,
    ScratchServerLacks,
    replayed,
    run_script,
)
from stewardd.postgres.catalogue.reading import DatabaseCatalogue, read_catalogue
from stewardd.postgres.connect import Connection
from stewardd.postgres.migrating.verifying import unmet_of
from stewardd.postgres.scratch import ScratchServers

MOST_FINDINGS = 1000


class MigrationLinter:
    """Lints sets; `excluded` are the rules that the configuration turns off, `scratch` is for copies of the files."""

    def __init__(
        self,
        migrations: Migrations,
        servers: ScratchServers,
        excluded: Sequence[str],
        scratch: Path | None = None,
    ) -> None:
        self._migrations = migrations
        self._servers = servers
        self._excluded = tuple(excluded)
        self._scratch = scratch

    async def lint(
        self,
        name: str,
        major: int,
        excluded: Sequence[str],
        report: Callable[[LintProgress], None],
    ) -> LintResult:
        """Lints the set of a database for a major version (0: the database's own).

        Raises: DatabaseNotFound, DatabaseDown, DatabaseRefused, MigrationSetInvalid, ToolMissing, ToolFailed,
        StorageFull.
        """
        program = find_squawk()
        migrations = (await self._migrations.read_set(name)).migrations
        if not major:
            async with self._migrations.looking(name) as look:
                major = look.major
        off = [*self._excluded, *excluded]
        report(LintProgress(name, major, total_count=len(migrations)))
        found = await lint_files(program, migrations, major, off, self._scratch)
        tried = 0
        async with (
            replayed(self._servers, (), major, lambda _: None) as (server, connection),
            server.session(REPLAYED) as watcher,
        ):
            trial = _Trial(connection, DryRun(connection, watcher), major)
            for migration in migrations:
                report(LintProgress(name, major, migration.label, tried, len(migrations)))
                findings, goes_on = await trial.of(migration)
                found += findings
                if not goes_on:
                    break
                tried += 1
            version = server.version
        found = sorted(
            (each for each in found if each.rule not in off),
            key=lambda each: (each.file_name, each.line, each.rule),
        )
        linter = await squawk_version(program)
        return LintResult(name, linter, version, tried, len(found), tuple(found[:MOST_FINDINGS]))


class _Trial:
    """Takes migrations up, down and up again on a scratch server, and says what that shows."""

    def __init__(self, connection: Connection, dry_run: DryRun, major: int) -> None:
        self._connection = connection
        self._dry_run = dry_run
        self._major = major

    async def of(self, migration: Migration) -> tuple[list[LintFinding], bool]:
        """The findings of a migration, and whether the next one can be tried."""
        found: list[LintFinding] = []
        direction = Direction.UP
        try:
            before = await read_catalogue(self._connection)
            holds_before = not await self._unmet(migration)
            statements = await self._dry_run.take(migration, Direction.UP)
            found += self._rewrites(migration, statements)
            after = await read_catalogue(self._connection)
            if holds_before and after.objects != before.objects:  # of rows there are none here
                found.append(self._tests_nothing(migration))
            direction = Direction.DOWN
            await run_script(self._connection, migration.down)
            found += self._drops(migration, before, after, await read_catalogue(self._connection))
            direction = Direction.UP
            await run_script(self._connection, migration.up)
        except (MigrationTrialFailed, ScratchServerLacks) as failure:
            found.append(self._fails(migration, direction, str(failure)))
            return found, False
        return found, True

    async def _unmet(self, migration: Migration) -> list[str]:
        queries = [query.text for query in migration.verify.after_up]
        return await unmet_of(self._connection, queries)

    def _tests_nothing(self, migration: Migration) -> LintFinding:
        return self._finding(
            migration,
            migration.verify.file_name,
            migration.verify.after_up[0].line,
            rules.TESTS_NOTHING,
            "every query after up holds before up as well",
        )

    def _rewrites(
        self, migration: Migration, statements: Sequence[DryStatement]
    ) -> Iterator[LintFinding]:
        for statement in statements:
            for table in statement.rewrites:
                yield self._finding(
                    migration,
                    statement.file_name,
                    statement.line,
                    rules.REWRITE,
                    f"every row of {table} is written anew",
                )

    def _drops(
        self,
        migration: Migration,
        before: DatabaseCatalogue,
        after: DatabaseCatalogue,
        back: DatabaseCatalogue,
    ) -> Iterator[LintFinding]:
        """What was there before up and after it, and is not after down."""
        gone = [key for key in before.objects if key in after.objects and key not in back.objects]
        for kind, name in gone:
            yield self._finding(
                migration,
                migration.down.file_name,
                migration.down.statements[0].line if migration.down.statements else 1,
                rules.DROPS_MORE,
                f"down removes {kind} {name}, which up did not make",
            )

    def _fails(self, migration: Migration, direction: Direction, detail: str) -> LintFinding:
        script = migration.script(direction)
        return self._finding(
            migration, script.file_name, 1, rules.FAILS, f"it cannot be tried: {detail}"
        )

    def _finding(
        self, migration: Migration, file_name: str, line: int, rule: str, message: str
    ) -> LintFinding:
        return LintFinding(
            migration.label, file_name, line, rule, message, rules.advice(rule, self._major, "")
        )
