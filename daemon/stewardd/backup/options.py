"""How backups are made where a request does not say otherwise."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stewardd.backup.manifest.backup import USUAL_COMPRESSION, Compression, DumpForm, ProofMode


@dataclass(frozen=True, slots=True)
class BackupOptions:
    """How backups are made.

    Without a `form` a dump is a directory where its disk has the room, and one stream where it does not.

    Directory dumps are staged in `staging_dir`. `reserve_bytes` of its disk and of the repository's are left to others,
    where the room is known.
    """

    store_url: str
    store_options: Mapping[str, str] = field(default_factory=dict)
    tools_dir: Path | None = None
    staging_dir: Path = field(default_factory=lambda: Path(tempfile.gettempdir()))
    segment_bytes: int = 32 << 20
    form: DumpForm | None = None
    jobs: int = 2
    compression: Compression = USUAL_COMPRESSION
    proof: ProofMode = ProofMode.HASH
    with_globals: bool = True
    max_duration_s: float = 6 * 3600.0
    lock_timeout_s: float = 60.0
    max_bytes_per_second: int = 0
    niceness: int = 5
    reserve_bytes: int = 256 << 20
