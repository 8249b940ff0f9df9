"""The section `quarantine`: the threads that work on quarantined rows, the bounds of that work, and its retention."""

from __future__ import annotations

from stewardd.config.section import Section
from stewardd.config.values import MIB, Count, SecondsOrNever


class QuarantineSettings(Section):
    """How much is read, and kept in memory, to find and correct quarantined rows."""

    threads: Count = 4
    """threads that find rows and validate corrections"""

    bulk_threads: Count = 4
    """threads for sheets, exports, retries, purges and erasures"""

    cached_rows: Count = 5_000_000
    """rows whose states are kept in memory, four bytes each"""

    stats_max_batches: Count = 10_000
    """the most batches that one call counts; if there are more, the newest are counted"""

    stats_scan_bytes: Count = 16 * MIB
    """bytes that are read to find the most common invalid values"""

    retry_commit_rows: Count = 100_000
    """rows that a retry changes in one commit"""

    max_concurrent_sheets: Count = 8
    """sheets resubmitted at once; more are refused"""

    max_sheet_bytes: Count = 256 * MIB
    """the largest sheet that may be resubmitted"""

    max_sheet_rows: Count = 1_000_000
    """the most rows of a sheet that may be resubmitted"""

    keep_closed_s: SecondsOrNever = 0.0
    """age at which the daemon purges resolved and discarded rows by itself; 0: never. Open rows always stay"""

    archive_purged: bool = True
    """whether a compressed copy of the rows that the daemon purges by itself is kept with the batch"""

    page_scan_bytes: Count = 64 * MIB
    """bytes that a page of a filtered listing reads before it ends early"""
