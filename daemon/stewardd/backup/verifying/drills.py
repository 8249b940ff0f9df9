"""Drills: the newest verified backup of a database is restored in full, and the time that it took is kept.

    drills/<day>/<id>/drill.json     create-once: one drill, and what it came to

The measured time (RTO) begins with the start of the server and ends when the last index is made; the comparison that
follows is not in it. A drill is due at the moments of a cron expression; of all daemons one holds it, by the claim on a
request_id that names database and moment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from stewardd.backup.catalog import BackupCatalog
from stewardd.backup.inventory import BackupInventory, by_database, of_database
from stewardd.backup.proof import BackupProof, ProofState
from stewardd.backup.schedules.timing import Timing
from stewardd.backup.verifying.progress import VERIFY_PROGRESS, VerifyProgress
from stewardd.backup.verifying.verification import BackupVerification
from stewardd.errors import NoVerifiedBackup, StewardError
from stewardd.operations.kinds import RUN_DRILL
from stewardd.operations.operations import Operations
from stewardd.operations.running import OperationContext
from stewardd.operations.state import OperationState
from stewardd.repository.backend.store import Store
from stewardd.repository.catalog import Catalog
from stewardd.repository.document import Codec, Count, Identifier, Moment
from stewardd.repository.identifiers import folder_of, uuid7
from stewardd.telemetry import logger

log = logger("backup")

KIND = "drills"
FILE = "drill.json"
_KEPT_IN_MEMORY = 1000


@dataclass(frozen=True, slots=True)
class Drill:
    """One drill: which backup was restored, when, and what came of it; `proof.restore_s` is the measured time."""

    drill_id: Identifier
    database: str
    backup: Identifier
    time: Moment
    database_size_bytes: Count
    proof: BackupProof

    @property
    def succeeded(self) -> bool:
        """Whether the backup came back as it was."""
        return self.proof.outcome is ProofState.VERIFIED


DRILL = Codec(Drill, constants={"version": 1})


@dataclass(frozen=True, slots=True)
class DrillPage:
    """Some drills, newest first, and the token of the page after; "" after the last."""

    items: tuple[Drill, ...]
    next_page_token: str


class DrillBook:
    """The drills of a repository."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._catalog = Catalog(store, KIND, DRILL, file=FILE, id_of=lambda drill: drill.drill_id)
        self._newest: dict[str, Drill] = {}

    @property
    def newest(self) -> dict[str, Drill]:
        """The newest drill of each database, as `look` found them last."""
        return dict(self._newest)

    async def keep(self, drill: Drill) -> None:
        """Keeps a drill. Raises: RepositoryDown, StorageFull."""
        key = f"{folder_of(KIND, drill.drill_id)}/{FILE}"
        await self._store.put(key, DRILL.encode(drill))
        self._newest[drill.database] = drill

    async def page(self, database: str, *, page_size: int, page_token: str = "") -> DrillPage:
        """A page of the drills of a database, or of all where it is empty. Raises: InvalidRequest."""
        page = await self._catalog.page(
            page_size=page_size,
            page_token=page_token,
            scope={"database": database},
            accept=lambda entry: database in ("", entry.manifest.database),
        )
        return DrillPage(tuple(entry.manifest for entry in page.entries), page.next_page_token)

    async def look(self, databases: Iterable[str]) -> None:
        """Finds the newest drill of each database. Raises: RepositoryDown."""
        for database in databases:
            page = await self.page(database, page_size=1)
            if page.items:
                self._newest[database] = page.items[0]


class Drills:
    """Holds drills, on demand and when they are due; `timing` is None where none is due."""

    def __init__(
        self,
        operations: Operations,
        verification: BackupVerification,
        book: DrillBook,
        catalog: BackupCatalog,
        inventory: BackupInventory,
        timing: Timing | None,
        now: Callable[[], datetime],
    ) -> None:
        self._operations = operations
        self._verification = verification
        self._book = book
        self._catalog = catalog
        self._inventory = inventory
        self._timing = timing
        self._now = now
        self._asked: dict[tuple[str, datetime], None] = {}

    async def start(self, database: str, request_id: str) -> OperationState:
        """Starts a drill, or returns the operation that this request_id started before.

        Raises: NoVerifiedBackup, RequestIdReused, RequestInProgress, Exhausted.
        """
        backup_id = await self._newest_verified(database)

        async def work(context: OperationContext) -> dict[str, Any]:
            def report(progress: VerifyProgress) -> None:
                context.report(VERIFY_PROGRESS.to_json(progress))

            return DRILL.to_json(await self._hold(database, backup_id, report))

        return await self._operations.start_once(
            RUN_DRILL,
            request_id,
            asked={"database": database},
            metadata=VERIFY_PROGRESS.to_json(VerifyProgress(backup_id, database)),
            work=work,
        )

    async def look(self) -> None:
        """Starts the drills that are due, of each database that had a verified backup then. Raises: RepositoryDown."""
        if self._timing is None:
            return
        now = self._now()
        for database, own in by_database(await self._inventory.read()).items():
            due = self._timing.last_due(now, database)
            proofs = [each.state.proof for each in own]
            proven = [each.time for each in proofs if each and _is_verified(each)]
            if due is None or not proven or min(proven) > due or (database, due) in self._asked:
                continue
            self._asked[database, due] = None
            while len(self._asked) > _KEPT_IN_MEMORY:
                del self._asked[next(iter(self._asked))]
            try:
                await self.start(database, f"drill-{database}-{due:%Y%m%dT%H%M%S}")
            except StewardError as error:
                log.warning("drill not begun", database=database, error=error.message)

    async def _hold(
        self, database: str, backup_id: str, report: Callable[[VerifyProgress], None]
    ) -> Drill:
        manifest = await self._catalog.get(backup_id)
        proof = await self._verification.try_manifest(manifest, report)
        drill = Drill(
            uuid7(), database, backup_id, self._now(), manifest.database_size_bytes, proof
        )
        await self._book.keep(drill)
        log.info(
            "drill held",
            database=database,
            backup=backup_id,
            outcome=proof.outcome.value,
            restore_s=proof.restore_s,
        )
        return drill

    async def _newest_verified(self, database: str) -> str:
        for each in of_database(await self._inventory.read(), database):
            if not each.state.deleted and _is_verified(each.state.proof):
                return each.backup_id
        raise NoVerifiedBackup(f"database {database!r} has no verified backup")


def _is_verified(proof: BackupProof | None) -> bool:
    return proof is not None and proof.outcome is ProofState.VERIFIED
