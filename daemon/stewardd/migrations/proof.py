"""What the trial of a migration found, as it is kept: by its chain of SHA-256 and a major version.

PROVEN and FAILED are verdicts on the migration. COULD_NOT_PROVE is none: what the scratch server lacks is named, and
nothing is said of the migration.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stewardd.errors import ObjectExists
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

    async def find_proven(self, migrations: Sequence[Migration], major: int) -> frozenset[int]:
        """The numbers of those that were proven on a major version, as their files and those before them are now.

        One listing tells which have no proof. Raises: RepositoryDown, Corrupt.
        """
        keys = {each.number: _key(each.chain_sha256, major) for each in migrations}
        asked = set(keys.values()) - self._known
        if asked:
            stored = [each.key async for each in self._store.list(_folder(major))]
            await self._read(sorted(asked.intersection(stored)))
        return frozenset(number for number, key in keys.items() if key in self._known)

    async def _read(self, keys: Sequence[str]) -> None:
        """Remembers which of these say that a migration was proven."""
        for key, body in zip(keys, await self._store.get_many(keys), strict=True):
            if body is None:
                continue
            proof = MIGRATION_PROOF.decode(body, key)
            major = int(proof.server_version.partition(".")[0])
            if proof.outcome == PROVEN and _key(proof.chain_sha256, major) == key:
                self._known.add(key)


def _folder(major: int) -> str:
    return f"proofs/{major}"


def _key(chain_sha256: str, major: int) -> str:
    return f"{_folder(major)}/{chain_sha256}.json"
