"""What the trial of a migration found, as it is kept: by its chain of SHA-256 and a major version.

PROVEN and FAILED are verdicts on the migration. COULD_NOT_PROVE is none: what the scratch server lacks is named, and
nothing is said of the migration.
"""

from __future__ import annotations

from dataclasses import dataclass

from stewardd.errors import ObjectExists, ObjectNotFound
from stewardd.migrations.files import Migration
from stewardd.migrations.progress import Number
from stewardd.repository.backend.store import Store
from stewardd.repository.document import Codec, Count, Moment, Seconds

PROVEN = "PROVEN"
FAILED = "FAILED"
COULD_NOT_PROVE = "COULD_NOT_PROVE"
VERSION = 1


@dataclass(frozen=True, slots=True)
class ProofLoss:
    """Values that were lost on the way down. `is_own` says that the migration itself had made their column."""

    table: str
    column: str
    values: Count
    is_own: bool


@dataclass(frozen=True, slots=True)
class MigrationProof:
    """The trial of one migration. `rows` is the least number of rows that a table had; `few_rows` names those below it.

    `differences` are of the catalogue: what going down and up again left otherwise than it was.
    """

    label: str
    number: Number
    sha256: str
    chain_sha256: str
    outcome: str
    detail: str
    wanted_major: Number
    server_version: str
    proven_at: Moment
    elapsed_s: Seconds
    rows: Number
    few_rows: tuple[str, ...] = ()
    differences: tuple[str, ...] = ()
    losses: tuple[ProofLoss, ...] = ()


@dataclass(frozen=True, slots=True)
class ProveResult:
    """What came of proving the set of a database, in order."""

    database: str
    proofs: tuple[MigrationProof, ...]


MIGRATION_PROOF = Codec(MigrationProof, constants={"version": VERSION})
PROVE_RESULT = Codec(ProveResult)


class MigrationProofs:
    """The proofs in the repository. A proven one stays; a failed trial is told, and not kept."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: set[str] = set()

    async def keep(self, proof: MigrationProof) -> None:
        """Keeps a proof. Raises: StorageFull, RepositoryDown."""
        if proof.outcome != PROVEN:
            return
        major = int(proof.server_version.partition(".")[0])
        key = _key(proof.chain_sha256, major)
        try:
            await self._store.put(key, MIGRATION_PROOF.encode(proof))
        except ObjectExists:
            return

    async def is_proven(self, migration: Migration, major: int) -> bool:
        """Whether it was proven on this major version, as its files and those before it are now.

        Raises: RepositoryDown, Corrupt.
        """
        key = _key(migration.chain_sha256, major)
        if key in self._known:
            return True
        try:
            proof = MIGRATION_PROOF.decode(await self._store.get(key), key)
        except ObjectNotFound:
            return False
        found = proof.outcome == PROVEN and proof.chain_sha256 == migration.chain_sha256
        if found:
            self._known.add(key)
        return found


def _key(chain_sha256: str, major: int) -> str:
    return f"proofs/{major}/{chain_sha256}.json"
