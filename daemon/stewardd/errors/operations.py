"""Errors of what outlasts a call."""

from __future__ import annotations

from stewardd.errors.kinds import Conflict, NotFound, NotNow


class OperationNotFound(NotFound):
    """There is no operation of that name."""

    reason = "OPERATION_NOT_FOUND"


class OperationAbandoned(Conflict):
    """The daemon that ran this operation is gone, and the operation was not done."""

    reason = "OPERATION_ABANDONED"
    hint = "start it again"


class Cancelled(NotNow):
    """Somebody asked for it to be cancelled."""

    reason = "CANCELLED"
    hint = "start it again when it is wanted"


class DaemonStopping(Cancelled):
    """The daemon stopped while it was at this operation."""

    reason = "DAEMON_STOPPING"
    hint = "start it again; what a schedule had begun is taken up by itself"
