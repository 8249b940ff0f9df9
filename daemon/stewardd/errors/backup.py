"""Errors of a backup and of the tools that make it."""

from __future__ import annotations

from stewardd.errors.kinds import Failed, NotFound


class BackupNotFound(NotFound):
    """There is no backup of that name."""

    reason = "BACKUP_NOT_FOUND"


class ToolFailed(Failed):
    """A child process ended badly."""

    reason = "TOOL_FAILED"


class ToolMissing(Failed):
    """There is no client tool that fits the server's version."""

    reason = "TOOL_MISSING"
    hint = "install client tools of the server's major version, or name their folder in `postgres.tools_dir`"
