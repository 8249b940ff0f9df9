"""Measures listing and planning the retention over ten thousand signed backups in a folder, beside the goal of 2 s.

    python -m benchmarks.retention [--backups N]

Cold is the first look of a new daemon, which reads every manifest and checks its signature; restarted is the first look
of a daemon that has checked them before; warm is every later look. CPU seconds stand beside the wall: they are worth
something also while others work. The goal holds for the wall.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from stewardd.backup.catalog import KIND, BackupCatalog
from stewardd.backup.inventory import BackupInventory
from stewardd.backup.keys.encryption import AgeIdentity
from stewardd.backup.keys.signing import SigningKey
from stewardd.backup.manifest.backup import (
    USUAL_COMPRESSION,
    BackupManifest,
    DumpForm,
    Encryption,
    Extension,
    Globals,
    ProofMode,
    Segment,
    Source,
    StoredContents,
    StoredObject,
    Timings,
)
from stewardd.backup.manifest.checked import CheckedManifests
from stewardd.backup.manifest.codec import SIGNED_MANIFEST
from stewardd.backup.retention.plan import plan
from stewardd.backup.retention.policy import Counting, RetentionPolicy
from stewardd.backup.states import ROOT, STATE_CODEC, BackupState, BackupStates
from stewardd.repository.backend.folder.store import FolderStore
from stewardd.repository.identifiers import folder_of, uuid7
from stewardd.repository.publication import MANIFEST

GOAL_S = 2.0
NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
BETWEEN = timedelta(hours=1)
POLICY = RetentionPolicy(counting=Counting.COMPLETE, daily=14, weekly=8, monthly=24, yearly=5)
SEGMENTS = 4
ONE_IN = 50
"""One backup in so many is pinned."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One measurement: the wall and the CPU time of the process."""

    name: str
    wall_s: float
    cpu_s: float


def main() -> None:
    """Prints the figures; ends with 1 when the goal is missed."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--backups", type=int, default=10_000)
    backups = arguments.parse_args().backups
    with tempfile.TemporaryDirectory(prefix="steward-retention-") as folder:
        store_backups(Path(folder) / "repository", backups)
        found = asyncio.run(measure(Path(folder) / "repository", backups))
    for each in found:
        print(f"{each.name:<34} {each.wall_s:8.2f} s   {each.cpu_s:8.2f} s CPU")
    print(f"{'goal':<34} {GOAL_S:8.2f} s")
    sys.exit(any(each.wall_s > GOAL_S for each in found))


def store_backups(root: Path, count: int) -> None:
    """Writes signed manifests as they lie in a repository; nothing here reads what they name."""
    key, recipient = SigningKey.generate(), AgeIdentity.generate().recipient
    model = _manifest(key.public_key, recipient)
    for number in range(count):
        when = NOW - number * BETWEEN
        backup_id = uuid7(when.timestamp)
        made = replace(model, backup_id=backup_id, snapshot_time=when, create_time=when)
        _write(root / folder_of(KIND, backup_id) / MANIFEST, SIGNED_MANIFEST.encode(made, key))
        if number % ONE_IN == 0:
            state = STATE_CODEC.encode(BackupState(when, "mia", pinned=True, pin_note="a month"))
            _write(root / folder_of(ROOT, backup_id) / "000001.json", state)


async def measure(root: Path, count: int) -> list[Measured]:
    """Lists and plans: as a new daemon does it, as one that was restarted, and once more."""

    def daemon() -> Callable[[], Awaitable[None]]:
        store = FolderStore(root)
        catalog = BackupCatalog(store, CheckedManifests(root.parent / "checked-manifests"))
        inventory = BackupInventory(catalog, BackupStates(store))

        async def list_and_plan() -> None:
            backups = await inventory.read()
            found = plan((each.candidate for each in backups), POLICY, NOW)
            assert len(found.verdicts) == count
            assert found.going

        return list_and_plan

    cold = await _measured("cold: every signature is checked", daemon())
    restarted = daemon()
    return [
        cold,
        await _measured("restarted: no signature is", restarted),
        await _measured("warm: nothing is new", restarted),
    ]


async def _measured(name: str, work: Callable[[], Awaitable[None]]) -> Measured:
    wall, cpu = time.perf_counter(), time.process_time()
    await work()
    return Measured(name, time.perf_counter() - wall, time.process_time() - cpu)


def _write(path: Path, body: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)


def _manifest(signer: str, recipient: str) -> BackupManifest:
    digest = "ab" * 32
    return BackupManifest(
        backup_id=uuid7(),
        database="main",
        description="",
        snapshot_time=NOW,
        create_time=NOW,
        elapsed_s=60.0,
        database_size_bytes=8 << 30,
        dump_size_bytes=4 << 30,
        dump_sha256=digest,
        server_version="18.1",
        tool_version="18.1",
        form=DumpForm.CUSTOM,
        compression=USUAL_COMPRESSION,
        encryption=Encryption.AGE,
        globals=Globals.COMPLETE,
        segments=tuple(Segment(f"segment-{n:06}", 32 << 20, digest) for n in range(SEGMENTS)),
        stored_size_bytes=SEGMENTS * (32 << 20),
        signer=signer,
        recipients=(recipient,),
        proof=ProofMode.HASH,
        schema_sha256=digest,
        contents=StoredContents(9000, digest, 19, 1_000_000, 12),
        source=Source("UTF8", "libc", "C", "C", "", False, 0, "1-2", (Extension("citext", "1.6"),)),
        timings=Timings(50.0, 40.0, 0.5),
        globals_object=StoredObject(2000, digest),
    )


if __name__ == "__main__":
    main()
