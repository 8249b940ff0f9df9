"""Drift: what a database has that its migrations did not make, what it lacks of it, and the SQL that would mend that.

The migrations that the database has on record are replayed on a scratch server, and the two catalogues are compared.
The database is only read. Where the scratch server is of another major version, what differs by version is left out.
What the last replays gave is remembered: a daemon that looks for drift again and again replays the same files once.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stewardd.errors import MigrationInProgress
from stewardd.migrations.files import Direction, Migration
from stewardd.migrations.ignoring import ignore_rules
from stewardd.migrations.migrations import Migrations
from stewardd.migrations.plan import check
from stewardd.migrations.progress import Number
from stewardd.migrations.replay import replayed
from stewardd.postgres.catalogue.comparing import CatalogueDifference, compare
from stewardd.postgres.catalogue.mending import RankedStatement, in_order, mend
from stewardd.postgres.catalogue.reading import DatabaseCatalogue, read_catalogue
from stewardd.postgres.scratch import ScratchServers
from stewardd.repository.document import Codec, Count

MOST_DIFFERENCES = 1000
_MOST_CHARACTERS = 2000
_MOST_BYTES = 1 << 20  # of the differences in an answer; the script says their SQL once more
_MOST_REPLAYS = 4
_HEAD = "SET check_function_bodies = off"


@dataclass(frozen=True, slots=True)
class DriftProgress:
    """How far the detection has come; `migration` is the one that is being replayed."""

    database: str
    major: Number
    migration: str = ""
    done_count: Number = 0
    total_count: Number = 0


@dataclass(frozen=True, slots=True)
class DriftDifference:
    """One difference. `wanted` and `found` are a property's values; None where the whole object is missing there."""

    kind: str
    name: str
    property: str
    wanted: str | None
    found: str | None
    text: str
    mending: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DriftResult:
    """What was found. `script` has the SQL of all differences in an order that can be run."""

    database: str
    version: Number
    server_version: str
    scratch_version: str
    difference_count: Count
    ignored_count: Count
    differences: tuple[DriftDifference, ...]
    script: tuple[str, ...]


DRIFT_PROGRESS = Codec(DriftProgress)
DRIFT_RESULT = Codec(DriftResult)


@dataclass(frozen=True, slots=True)
class _Replayed:
    """The catalogue that migrations gave on a scratch server of a version."""

    catalogue: DatabaseCatalogue
    server_version: str


class DriftDetector:
    """Compares databases with their migrations; `ignored` are the entries that the configuration always ignores."""

    def __init__(
        self, migrations: Migrations, servers: ScratchServers, ignored: Sequence[str]
    ) -> None:
        self._migrations = migrations
        self._servers = servers
        self._ignored = tuple(ignored)
        self._replays: OrderedDict[tuple[str, int], _Replayed] = OrderedDict()

    async def detect(
        self,
        name: str,
        major: int,
        ignored: Sequence[str],
        report: Callable[[DriftProgress], None],
    ) -> DriftResult:
        """Compares a database with the migrations that it has, replayed on a major version (0: the database's own).

        Raises: DatabaseNotFound, DatabaseDown, DatabaseRefused, MigrationSetInvalid, MigrationChanged,
        MigrationInProgress, MigrationNotReplayed, InvalidRequest, ToolMissing, ToolFailed, StorageFull.
        """
        rules = ignore_rules([*self._ignored, *ignored])
        found = await self._migrations.known_set(name)
        async with self._migrations.looking(name) as look:
            ledger = await look.ledger()
            check(found, ledger, Direction.UP)
            live = await read_catalogue(look.connection)
            if (await look.ledger()).applied != ledger.applied:
                raise MigrationInProgress(f"database {name!r} was migrated while it was read")
            server_version = look.server_version
        migrations = found.migrations[: len(ledger.applied)]
        replay = await self._replay(name, migrations, major or live.major, report)
        differences = compare(replay.catalogue, live)
        told = [each for each in differences if not any(rule.matches(each) for rule in rules)]
        shown, script = _shown(told, replay.catalogue, live)
        return DriftResult(
            name,
            len(migrations),
            server_version,
            replay.server_version,
            len(told),
            len(differences) - len(told),
            shown,
            script,
        )

    async def _replay(
        self,
        name: str,
        migrations: Sequence[Migration],
        major: int,
        report: Callable[[DriftProgress], None],
    ) -> _Replayed:
        """What migrations give on a scratch server, or gave there before."""
        key = (migrations[-1].chain_sha256 if migrations else "", major)
        if key in self._replays:
            self._replays.move_to_end(key)
            return self._replays[key]
        count = 0

        def on_migration(migration: Migration) -> None:
            nonlocal count
            report(DriftProgress(name, major, migration.label, count, len(migrations)))
            count += 1

        async with replayed(self._servers, migrations, major, on_migration) as (server, connection):
            found = _Replayed(await read_catalogue(connection), server.version)
        self._replays[key] = found
        while len(self._replays) > _MOST_REPLAYS:
            self._replays.popitem(last=False)
        return found


def _shown(
    differences: Sequence[CatalogueDifference], wanted: DatabaseCatalogue, live: DatabaseCatalogue
) -> tuple[tuple[DriftDifference, ...], tuple[str, ...]]:
    """The differences that fit into an answer, the first ones, and the SQL that mends these."""
    shown: list[DriftDifference] = []
    steps: list[RankedStatement] = []
    size_bytes = 0
    for difference in differences[:MOST_DIFFERENCES]:
        mending = mend(difference, wanted, live)
        told = DriftDifference(
            difference.kind,
            difference.name,
            difference.property,
            _cut(difference.wanted),
            _cut(difference.found),
            _cut(str(difference)) or "",
            tuple(in_order(mending)),
        )
        size_bytes += len(repr(told).encode())
        if size_bytes > _MOST_BYTES:
            break
        shown.append(told)
        steps += mending
    script = in_order(steps)
    if script and any(each.kind == "function" and each.wanted is not None for each in shown):
        script.insert(0, _HEAD)
    return tuple(shown), tuple(script)


def _cut(text: str | None) -> str | None:
    """A view's or a function's text may be long."""
    if text is None or len(text) <= _MOST_CHARACTERS:
        return text
    return f"{text[: _MOST_CHARACTERS - 1]}…"
