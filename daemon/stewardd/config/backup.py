"""The section `backup`: how a dump is cut, compressed, encrypted and bounded in time, and with which keys."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from stewardd.config.copies import CopiesSettings, ImportRootSettings
from stewardd.config.retention import RetentionSettings
from stewardd.config.schedules import ScheduleName, ScheduleSettings
from stewardd.config.section import Section
from stewardd.config.tell import TellSettings
from stewardd.config.values import MIB, Bandwidth, Folder, Seconds
from stewardd.config.verification import DrillSettings, VerificationSettings


class BackupSettings(Section):
    """How backups are made."""

    segment_bytes: Annotated[int, Field(ge=MIB)] = 32 * MIB
    """stored size of a segment"""

    form: Literal["auto", "directory", "custom"] = "auto"
    """how pg_dump writes: a folder of files (directory), several tables at once, which is staged in the data folder;
    one stream (custom), which needs no room there; auto: directory where the folder's disk has room for the whole
    database, else custom"""

    jobs: Annotated[int, Field(ge=0, le=64)] = 0
    """how many tables a directory dump, and the reading of the proof, read at once; 0: half of the cores"""

    proof: Literal["hash", "count", "none"] = "hash"
    """what is read of each table, in the snapshot of the dump, to compare a restore with: the number of rows and a hash
    of all values, the number of rows alone, or nothing"""

    globals: bool = True
    """whether the server's roles and tablespaces are kept beside each backup (pg_dumpall --globals-only)"""

    compression: Literal["zstd", "gzip", "none"] = "zstd"
    """how each segment is compressed"""

    compression_level: Annotated[int, Field(ge=1, le=19)] = 3
    """level of zstd, or of gzip up to 9"""

    encryption: Literal["age", "none"] = "age"
    """whether each segment is encrypted (age, X25519)"""

    recipients: tuple[str, ...] = ()
    """public keys (age1…) to which backups are encrypted; empty: those of `identity_files`, else the key that the
    daemon makes in its data folder"""

    identity_files: tuple[Folder, ...] = ()
    """files with the private keys (AGE-SECRET-KEY-1…) that read backups; not needed for making them"""

    signing_key_file: Annotated[Path | None, BeforeValidator(lambda value: value or None)] = None
    """Ed25519 private key (PEM) that signs manifests; empty: the one that the daemon makes in its data folder"""

    trusted_signers: tuple[str, ...] = ()
    """public keys (64 hexadecimal digits) whose signed backups count as this daemon's own"""

    lock_timeout_s: Seconds = 60.0
    """how long a backup waits for a table that somebody has locked"""

    max_duration_s: Seconds = 6 * 3600.0
    """a dump that takes longer is cancelled, because it holds locks that block DDL"""

    max_bytes_per_second: Bandwidth = 0
    """how many bytes a backup stores in a second at most, as they are stored; 0: no bound"""

    niceness: Annotated[int, Field(ge=0, le=19)] = 5
    """how far the worker and pg_dump stand back for other processes (nice): 0 not at all"""

    restore_max_duration_s: Seconds = 24 * 3600.0
    """a restore that takes longer is stopped"""

    import_roots: dict[str, ImportRootSettings] = {}
    """places, by names of your own, below which ImportBackup may read a manifest, and RestoreBackup a dump that others
    made; none: imports come from the second repository alone, and no such dump is restored"""

    copies: CopiesSettings = CopiesSettings()
    retention: RetentionSettings = RetentionSettings()
    verification: VerificationSettings = VerificationSettings()
    drills: DrillSettings = DrillSettings()

    schedules: dict[ScheduleName, ScheduleSettings] = {}
    """schedules of backups by their names; `steward schedule create` makes others"""

    tell: TellSettings = TellSettings()
