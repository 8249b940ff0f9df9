"""Errors of migrations: of a set of files, of what a database has of it, of applying and of proving."""

from __future__ import annotations

from stewardd.errors.kinds import Conflict, Failed, NotFound, NotNow, Unavailable


class MigrationNotFound(NotFound):
    """The set has no migration of that number."""

    reason = "MIGRATION_NOT_FOUND"
    hint = "list the migrations with `steward migrate status`"


class MigrationSetInvalid(NotNow):
    """The files are no set of migrations: a gap, a number that two have, a file that is missing or cannot be read."""

    reason = "MIGRATION_SET_INVALID"
    hint = "put the files right that the message names"


class MigrationChanged(NotNow):
    """A migration was edited, or is gone, after it had been applied."""

    reason = "MIGRATION_CHANGED"
    hint = "bring the file back, and write a new migration; `steward migrate repair` takes a changed comment"


class MigrationUnproven(NotNow):
    """A migration has no proof for what its files say now and the database's major version."""

    reason = "MIGRATION_UNPROVEN"
    hint = "prove it with `steward migrate prove`, or force it by its name, which is recorded"


class MigrationUnfinished(NotNow):
    """A migration that runs outside of a transaction stopped half-way."""

    reason = "MIGRATION_UNFINISHED"
    hint = "go on with `steward migrate up`, which begins where it stopped"


class MigrationNotReplayed(NotNow):
    """The migrations of a database cannot be run on a scratch server, so that nothing can be compared with them."""

    reason = "MIGRATION_NOT_REPLAYED"
    hint = "see what the message names; `steward migrate prove` tries the whole set"


class MigrationInProgress(Conflict):
    """Another runner migrates the same database."""

    reason = "MIGRATION_IN_PROGRESS"
    hint = "wait for it to end, and look at `steward migrate status`"


class MigrationLockTimeout(Unavailable):
    """A lock was not given in time, so that nobody waits behind the migration; what ran in a transaction is undone."""

    reason = "MIGRATION_LOCK_TIMEOUT"
    hint = "see who holds the lock, which the message names, and try again"


class MigrationFailed(Failed):
    """A statement of a migration failed."""

    reason = "MIGRATION_FAILED"
    hint = "put the statement right that the message names"


class MigrationNotVerified(Failed):
    """A query of a migration's verify file did not hold after it."""

    reason = "MIGRATION_NOT_VERIFIED"
    hint = "see what the query that the message names asks for"
