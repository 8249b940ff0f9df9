"""Errors of a backup and of the tools that make it."""

from __future__ import annotations

from stewardd.errors.kinds import Conflict, Failed, InvalidRequest, NotFound, NotNow


class BackupNotFound(NotFound):
    """There is no backup of that name."""

    reason = "BACKUP_NOT_FOUND"


class KeyUnknown(InvalidRequest):
    """A recipient or a key that is none, or that is not configured."""

    reason = "KEY_UNKNOWN"
    hint = "`steward backup key show` lists the configured recipients; a recipient of age begins with age1"


class KeyMissing(NotNow):
    """The backup is encrypted, and the private key that reads it is not here."""

    reason = "KEY_MISSING"
    hint = "name the file with its identity in `backup.identity_files`, or read it where the key is"


class SignerUnknown(NotNow):
    """The backup is signed by nobody, or by a key that this daemon does not trust."""

    reason = "SIGNER_UNKNOWN"
    hint = "if you know who made it, add the public key to `backup.trusted_signers`"


class BackupPinned(NotNow):
    """The backup is pinned, so nothing deletes it."""

    reason = "BACKUP_PINNED"
    hint = "unpin it first: `steward backup pin --off BACKUP`"


class BackupDeleted(NotNow):
    """The backup is deleted, and its data may be removed at any time."""

    reason = "BACKUP_DELETED"
    hint = "have it back first: `steward backup undelete BACKUP`"


class LastBackup(NotNow):
    """It is the last good backup of its database, which is never deleted."""

    reason = "LAST_BACKUP"
    hint = "make another backup first, and delete this one then"


class ScheduleInvalid(InvalidRequest):
    """A schedule that never comes, is none, or names a time zone that there is not."""

    reason = "SCHEDULE_INVALID"
    hint = "give five fields, such as `30 2 * * *`, or an interval, and a time zone such as Europe/Berlin"


class ScheduleNotFound(NotFound):
    """There is no schedule of that name."""

    reason = "SCHEDULE_NOT_FOUND"


class ScheduleExists(Conflict):
    """There is a schedule of that name already."""

    reason = "SCHEDULE_EXISTS"
    hint = "choose another name, or update the one that is there"


class ScheduleConfigured(NotNow):
    """The schedule stands in the configuration, and a call can only pause it."""

    reason = "SCHEDULE_CONFIGURED"
    hint = "change it in the configuration of every daemon of the repository"


class NoSecondRepository(NotNow):
    """No second repository is configured, to which or from which a backup could be copied."""

    reason = "NO_SECOND_REPOSITORY"
    hint = "name one in `backup.copies.url`"


class ToolFailed(Failed):
    """A child process ended badly."""

    reason = "TOOL_FAILED"


class ToolMissing(Failed):
    """There is no client tool that fits the server's version."""

    reason = "TOOL_MISSING"
    hint = "install client tools of the server's major version, or name their folder in `postgres.tools_dir`"


class NoVerifiedBackup(NotNow):
    """The database has no backup that a restore has proven, so there is nothing to hold a drill with."""

    reason = "NO_VERIFIED_BACKUP"
    hint = "verify one first: `steward backup verify BACKUP`"
