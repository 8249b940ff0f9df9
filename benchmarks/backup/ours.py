"""Our backup, from the request to the manifest, without the daemon around it: worker, pg_dump, segments, commit."""

import asyncio
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from stewardd.backup.asked import BackupAsked
from stewardd.backup.backups import Backups
from stewardd.backup.keys.keyring import KeyOptions, open_keyring
from stewardd.backup.manifest.backup import (
    Compression,
    CompressionMethod,
    DumpForm,
    ProofMode,
)
from stewardd.backup.options import BackupOptions
from stewardd.postgres.target import DatabaseTarget
from stewardd.repository.backend.folder.store import FolderStore
from stewardd.repository.lease import WriterLease

from benchmarks.backup.memory import PeakMemory

_WORKER = "stewardd.backup.making.worker"


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that was made: what it took, and the worker's peak memory."""

    stored_bytes: int
    dump_s: float
    proof_s: float
    peak_bytes: int


def backup(
    target: DatabaseTarget,
    level: int,
    proof: ProofMode,
    *,
    tools: str | None = None,
    form: DumpForm = DumpForm.DIRECTORY,
) -> Made:
    """Make one into a folder that is gone afterwards, with two jobs."""
    folder = Path(tempfile.mkdtemp(prefix="steward-bench-"))
    watch = PeakMemory(_WORKER)
    try:
        return asyncio.run(_backup(folder, target, level, proof, tools, form, watch))
    finally:
        watch.stop()
        shutil.rmtree(folder)


async def _backup(
    folder: Path,
    target: DatabaseTarget,
    level: int,
    proof: ProofMode,
    tools: str | None,
    form: DumpForm,
    watch: PeakMemory,
) -> Made:
    store = FolderStore(folder / "repository")
    (folder / "writer").mkdir()
    lease = await WriterLease.acquire(store, folder / "writer")
    options = BackupOptions(
        str(store.root),
        tools_dir=Path(tools) if tools else None,
        staging_dir=folder,
        compression=Compression(CompressionMethod.ZSTD, level),
        niceness=0,
    )
    backups = Backups(
        store, lease, {"main": target}, open_keyring(KeyOptions(folder / "keys")), options
    )
    asked = BackupAsked(form=form, jobs=2 if form is DumpForm.DIRECTORY else 0, proof=proof)
    manifest = await backups.create("main", "", lambda _: None, asked=asked)
    await lease.close()
    return Made(
        manifest.stored_size_bytes,
        manifest.timings.dump_s,
        manifest.timings.proof_s,
        watch.peak_bytes,
    )
