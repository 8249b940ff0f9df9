"""Errors of finding, changing, exporting and removing quarantined rows."""

from __future__ import annotations

from stewardd.errors.kinds import Conflict, Failed, NotFound, NotNow


class RowNotFound(NotFound):
    """The batch has no quarantined row of that number."""

    reason = "ROW_NOT_FOUND"
    hint = "list the rows with `steward quarantine show`"


class RowChanged(Conflict):
    """Somebody else changed the row after it was read, or keeps changing rows of the batch."""

    reason = "ROW_CHANGED"
    hint = "read the row again, and see whether it still needs a correction"


class RowClosed(NotNow):
    """The row is resolved or discarded, which is final."""

    reason = "ROW_CLOSED"
    hint = "see its history; send a row that is wrong after all in a new batch"


class RowPurged(NotNow):
    """What the row held was removed for good."""

    reason = "ROW_PURGED"
    hint = "an archive may have it, where the purge made one"


class ExportNotFound(NotFound):
    """The batch has no export of that name."""

    reason = "EXPORT_NOT_FOUND"


class ExportPurged(NotNow):
    """Rows that the export had were removed for good, after a later export of its cursor was asked for."""

    reason = "EXPORT_PURGED"
    hint = "an archive may have them, where the purge made one; the exports after it are whole"


class NothingToExport(NotNow):
    """The cursor has already been given all good rows that there are."""

    reason = "NOTHING_TO_EXPORT"
    hint = "ask again when more rows are resolved, or download the last export by its name"


class BatchRewritten(Conflict):
    """A purge or an erasure rewrote the batch, and the call cannot go on with its new files."""

    reason = "BATCH_REWRITTEN"
    hint = "begin again: the same call reads the batch as it is now; drop the part of a file that came before"


class BatchesLeft(Failed):
    """Some batches could not be erased from, and may still name the person; all others are done."""

    reason = "BATCHES_LEFT"
    hint = "see the daemon's log for why, put it right, and erase again; what is erased stays so"
