"""Errors of a restore."""

from __future__ import annotations

from stewardd.errors.kinds import Conflict, Failed, InvalidRequest, NotNow


class ConfirmationDiffers(InvalidRequest):
    """A restore that replaces a database was not confirmed by that database's name."""

    reason = "CONFIRMATION_DIFFERS"
    hint = "repeat the database's name on its server in `confirm`"


class TargetIsSource(InvalidRequest):
    """The new database would have the name of the live one."""

    reason = "TARGET_IS_SOURCE"
    hint = "choose another name, or say that the live database is to be replaced: mode SWAP or IN_PLACE"


class TargetNotEmpty(NotNow):
    """A new database was asked for, and the server has one of that name."""

    reason = "TARGET_NOT_EMPTY"
    hint = "choose another name, or remove the database that is there"


class ServerTooOld(NotNow):
    """The dump comes from a newer major version than the server that it would be restored on."""

    reason = "SERVER_TOO_OLD"
    hint = "restore on a server of the dump's major version, or of a newer one"


class RolesMissing(NotNow):
    """The dump names roles that the server lacks."""

    reason = "ROLES_MISSING"
    hint = "have them made (roles CREATE), put others in their place (role_map), or leave owners out (roles IGNORE)"


class ExtensionsMissing(NotNow):
    """The dump has extensions that are not installed on the server."""

    reason = "EXTENSIONS_MISSING"
    hint = "install them on the server; `pg_available_extensions` lists those that are there"


class DatabaseInUse(NotNow):
    """Sessions are connected to a database that is to be replaced."""

    reason = "DATABASE_IN_USE"
    hint = "stop the services that use it, or have their sessions ended: `end_sessions`"


class RestoreInProgress(Conflict):
    """Another restore writes into the same database."""

    reason = "RESTORE_IN_PROGRESS"
    hint = "wait for it: `steward operation list`"


class RestoreDiffers(Failed):
    """What was restored is not what the backup says that it holds."""

    reason = "RESTORE_DIFFERS"
    hint = "try an older backup, and keep this one: it shows what went wrong"


class DumpUnreadable(NotNow):
    """The file is no dump that can be restored: something else, cut off, damaged, or of several databases."""

    reason = "DUMP_UNREADABLE"
    hint = "name a file that pg_dump wrote (custom, tar or plain), by itself or compressed with gzip or zstd"


class DumpRunsCommands(NotNow):
    """The plain dump holds a command of psql, such as one that runs a shell; it was not run."""

    reason = "DUMP_RUNS_COMMANDS"
    hint = "look at that line: pg_dump writes no such command into a dump of one database, so somebody else has"


class StatementFailed(Failed):
    """The server refused a statement of a plain dump."""

    reason = "STATEMENT_FAILED"
    hint = "put right what the message names, on the server or in the dump; nothing of the dump was kept"
