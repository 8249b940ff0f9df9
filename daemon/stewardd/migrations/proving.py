"""Tries every migration of a set on a scratch server: up, down, up again, on empty tables and at once on full ones.

After each step the queries of the verify file must hold. Down must leave the catalogue as it was before up, up again
as it was after up, and no value may be lost that the migration had not made itself. What the scratch server cannot hold
(an extension that is not installed) is neither a proof nor a failure. Roles are made up as they are named.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from stewardd.migrations.files import Direction, Migration, MigrationSet
from stewardd.migrations.progress import ProveProgress
from stewardd.migrations.proof import (
    COULD_NOT_PROVE,
    FAILED,
    PROVEN,
    MigrationProof,
    MigrationProofs,
    ProofLoss,
)
from stewardd.migrations.replay import MigrationTrialFailed, ScratchServerLacks, run_script
from stewardd.postgres.catalogue.comparing import compare
from stewardd.postgres.catalogue.reading import DatabaseCatalogue, read_catalogue
from stewardd.postgres.connect import Connection, connect
from stewardd.postgres.migrating.failures import StatementFailure
from stewardd.postgres.migrating.verifying import untrue_of
from stewardd.postgres.sample.contents import LostValues, TableContents, lost_values, read_contents
from stewardd.postgres.sample.rows import FilledTable, fill_tables
from stewardd.postgres.scratch import ScratchServer, ScratchServers
from stewardd.postgres.target import DatabaseTarget

ROWS = 100
_SEED = 1
_MOST_DIFFERENCES = 50
_OF_THE_SERVER = re.compile(
    r"\b(CREATE|ALTER|DROP)\s+(ROLE|USER|GROUP|TABLESPACE)\b", re.IGNORECASE
)


@dataclass(slots=True)
class _Findings:
    """What the trial of one migration found, beside its outcome."""

    few_rows: list[str] = field(default_factory=list)
    rows: int = 0
    losses: list[ProofLoss] = field(default_factory=list)


class MigrationProver:
    """Proves the migrations of sets, and keeps the proofs."""

    def __init__(
        self,
        servers: ScratchServers,
        proofs: MigrationProofs,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._servers = servers
        self._proofs = proofs
        self._clock = clock

    async def prove(
        self,
        database: str,
        found: MigrationSet,
        major: int,
        report: Callable[[ProveProgress], None],
    ) -> list[MigrationProof]:
        """Tries every migration of a database's set, in order, on a scratch server of the major version.

        After one that fails the rest cannot be tried. Raises: ToolMissing, ToolFailed, StorageFull, RepositoryDown.
        """
        report(ProveProgress(database, major, total_count=len(found)))
        proofs: list[MigrationProof] = []
        async with AsyncExitStack() as stack:
            server = await stack.enter_async_context(self._servers.start(major))
            other = server
            if _is_of_the_server(found):
                other = await stack.enter_async_context(self._servers.start(major))
            targets = await asyncio.gather(
                server.create_database("empty"), other.create_database("full")
            )
            empty, full = [await stack.enter_async_context(_open(each)) for each in targets]
            for migration in found.migrations:
                done = len(proofs)
                report(ProveProgress(database, major, migration.label, done, len(found)))
                if proofs and proofs[-1].outcome != PROVEN:
                    proofs.append(self._untried(migration, proofs[-1], server))
                    continue
                proofs.append(await self._prove_one(migration, server, empty, full))
        await asyncio.gather(*(self._proofs.keep(proof) for proof in proofs))
        return proofs

    async def _prove_one(
        self, migration: Migration, server: ScratchServer, empty: _Trial, full: _Trial
    ) -> MigrationProof:
        began = time.monotonic()
        findings = _Findings()
        outcome, detail = PROVEN, ""
        differences: tuple[str, ...] = ()
        try:
            trials = _try_empty(empty, migration), _try_full(full, migration, findings)
            for failure in await asyncio.gather(*trials, return_exceptions=True):
                if failure is not None:
                    raise failure
        except MigrationTrialFailed as failure:
            outcome, detail, differences = FAILED, str(failure), failure.differences
        except ScratchServerLacks as lack:
            outcome, detail = COULD_NOT_PROVE, str(lack)
        except StatementFailure as failure:
            outcome, detail = FAILED, f"the catalogue could not be read: {failure.message}"
        if outcome == PROVEN and server.major != server.wanted_major:
            outcome = COULD_NOT_PROVE
            detail = (
                f"there is no PostgreSQL {server.wanted_major} here; it holds on {server.version}"
            )
            await self._proofs.keep(
                self._proof(migration, server, PROVEN, "", findings, (), time.monotonic() - began)
            )
        took_s = time.monotonic() - began
        return self._proof(migration, server, outcome, detail, findings, differences, took_s)

    def _untried(
        self, migration: Migration, last: MigrationProof, server: ScratchServer
    ) -> MigrationProof:
        detail = f"it rests on {last.label}, which was not proven"
        return self._proof(migration, server, COULD_NOT_PROVE, detail, _Findings(), (), 0.0)

    def _proof(
        self,
        migration: Migration,
        server: ScratchServer,
        outcome: str,
        detail: str,
        findings: _Findings,
        differences: tuple[str, ...],
        elapsed_s: float,
    ) -> MigrationProof:
        return MigrationProof(
            migration.label,
            migration.number,
            migration.sha256,
            migration.chain_sha256,
            outcome,
            detail,
            server.wanted_major,
            server.version,
            self._clock(),
            elapsed_s,
            findings.rows,
            tuple(findings.few_rows),
            differences[:_MOST_DIFFERENCES],
            tuple(findings.losses),
        )


def _is_of_the_server(found: MigrationSet) -> bool:
    """Whether a set may change what all databases of a server share, so that two trials on one would meet.

    A word too many costs a second server, also one in a comment; statements in DO blocks are found as well.
    """
    texts = (script.text for each in found.migrations for script in (each.up, each.down))
    return any(_OF_THE_SERVER.search(text) for text in texts)


@dataclass(slots=True)
class _Trial:
    """A database of the scratch server, and its catalogue as the last migration left it.

    The catalogue is read by a connection of its own, on which the queries stay prepared: psycopg gives up all prepared
    statements of a connection that drops something, and planning them takes as long as running them.
    """

    connection: Connection
    reader: Connection
    catalogue: DatabaseCatalogue

    async def read_catalogue(self) -> DatabaseCatalogue:
        """The catalogue as it is now."""
        return await read_catalogue(self.reader)


@asynccontextmanager
async def _open(target: DatabaseTarget) -> AsyncIterator[_Trial]:
    connection = await connect(target, "stewardd proof")
    try:
        reader = await connect(target, "stewardd proof")
        try:
            reader.prepare_threshold = 0
            yield _Trial(connection, reader, await read_catalogue(reader))
        finally:
            await reader.close()
    finally:
        await connection.close()


async def _try_empty(trial: _Trial, migration: Migration) -> None:
    connection, before = trial.connection, trial.catalogue
    await _take(connection, migration, Direction.UP)
    after = await trial.read_catalogue()
    await _take(connection, migration, Direction.DOWN)
    _same(
        before,
        await trial.read_catalogue(),
        "going down does not bring back what was before up",
    )
    await _take(connection, migration, Direction.UP)
    trial.catalogue = await trial.read_catalogue()
    _same(after, trial.catalogue, "going up again does not bring what it brought first")


async def _try_full(trial: _Trial, migration: Migration, findings: _Findings) -> None:
    """The same with rows: those that were there before, and those that are written after up."""
    connection, before = trial.connection, trial.catalogue
    rows_before = await read_contents(connection)
    await _take(connection, migration, Direction.UP)
    after = await trial.read_catalogue()
    changed = _changed_tables(rows_before, await read_contents(connection))
    filled = await fill_tables(connection, ROWS, _SEED + 2 * migration.number, only=changed)
    rows_between = await read_contents(connection)
    await _take(connection, migration, Direction.DOWN)
    _same(
        before,
        await trial.read_catalogue(),
        "going down does not bring back what was before up",
    )
    rows_after = await read_contents(connection)
    lost = lost_values(rows_before, rows_after)
    findings.losses = _losses(rows_before, lost, lost_values(rows_between, rows_after))
    await _take(connection, migration, Direction.UP)
    trial.catalogue = await trial.read_catalogue()
    _same(after, trial.catalogue, "going up again does not bring what it brought first")
    if lost:
        told = ", ".join(f"{each.table}.{each.column}: {each.count} values" for each in lost)
        raise MigrationTrialFailed(f"going up and down loses what was there before: {told}")
    filled += await fill_tables(connection, ROWS, _SEED + 2 * migration.number + 1, only=changed)
    _note_rows(findings, filled)


def _changed_tables(
    before: Mapping[str, TableContents], after: Mapping[str, TableContents]
) -> list[str]:
    """The tables that are new, or have other columns."""
    return [
        name
        for name, contents in after.items()
        if name not in before or list(contents.columns) != list(before[name].columns)
    ]


def _losses(
    before: Mapping[str, TableContents], lost: list[LostValues], lost_between: list[LostValues]
) -> list[ProofLoss]:
    told = [ProofLoss(each.table, each.column, each.count, is_own=False) for each in lost]
    return told + [
        ProofLoss(each.table, each.column, each.count, is_own=True)
        for each in lost_between
        if each.table not in before or each.column not in before[each.table].columns
    ]


def _note_rows(findings: _Findings, filled: list[FilledTable]) -> None:
    findings.rows = min((table.rows for table in filled), default=0)
    findings.few_rows = sorted(
        {
            f"{table.name} took {table.rows} of {ROWS} rows: {table.refusal}"
            for table in filled
            if table.rows < ROWS
        }
    )


def _same(wanted: DatabaseCatalogue, found: DatabaseCatalogue, otherwise: str) -> None:
    differences = tuple(str(each) for each in compare(wanted, found))
    if differences:
        raise MigrationTrialFailed(f"{otherwise}: {differences[0]}", differences)


async def _take(connection: Connection, migration: Migration, direction: Direction) -> None:
    """Takes a migration in one direction, and asks the queries that prove it."""
    await run_script(connection, migration.script(direction))
    queries = [query.text for query in migration.verify.after(direction)]
    try:
        untrue = await untrue_of(connection, queries)
    except StatementFailure as failure:
        raise MigrationTrialFailed(
            f"query {failure.number} after {direction.value} failed: {failure.message}"
        ) from None
    if untrue:
        raise MigrationTrialFailed(
            f"after {direction.value}, this does not hold: {', '.join(untrue)}"
        )
