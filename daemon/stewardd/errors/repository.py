"""Errors of the repository: its objects, its writers and the storage below it."""

from __future__ import annotations

from stewardd.errors.kinds import Conflict, Exhausted, Failed, NotFound, Unavailable


class ObjectNotFound(NotFound):
    """The repository holds no object under that key."""

    reason = "OBJECT_NOT_FOUND"


class ObjectExists(Conflict):
    """A create-once put found an object under that key."""

    reason = "OBJECT_EXISTS"


class LeaseLost(Conflict):
    """This writer could not renew its lease in time; nothing was published."""

    reason = "LEASE_LOST"
    hint = "check that the daemon reaches the repository, and begin again"


class StorageFull(Exhausted):
    """There is no room to write."""

    reason = "STORAGE_FULL"
    hint = "free room where the daemon keeps its data and its repository"


class RepositoryDown(Unavailable):
    """The repository does not answer."""

    reason = "REPOSITORY_DOWN"


class RepositoryRefused(RepositoryDown):
    """The repository answers, and refuses: a right, the credentials, the clock, the region, no such bucket."""

    reason = "REPOSITORY_REFUSED"
    hint = "check the repository's credentials and what they may do"


class Corrupt(Failed):
    """What was read is not what was written."""

    reason = "CORRUPT"
    hint = "keep what is there and look at the storage below the repository"


class DocumentTooNew(Corrupt):
    """A document of the repository is of a version that only a newer daemon knows."""

    reason = "DOCUMENT_TOO_NEW"
    hint = "upgrade this daemon to the version of the one that wrote it"
