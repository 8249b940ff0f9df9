"""The section `backup`: how a dump is cut, compressed and bounded in time."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from stewardd.config.section import Section
from stewardd.config.values import MIB, Seconds


class BackupSettings(Section):
    """How backups are made."""

    segment_bytes: Annotated[int, Field(ge=MIB)] = 32 * MIB
    """stored size of a segment"""

    compression_level: Annotated[int, Field(ge=1, le=19)] = 3
    """zstd level"""

    max_duration_s: Seconds = 6 * 3600.0
    """a dump that takes longer is cancelled; it holds locks that DDL waits for"""
