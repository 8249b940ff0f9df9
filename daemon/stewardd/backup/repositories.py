"""The repositories that backups lie in, and what lists, plans and prunes in each."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from stewardd.backup.copying.retention import SecondRetention
from stewardd.backup.listing import BackupListing
from stewardd.backup.pruning import DatabasePlan, Pruning
from stewardd.errors import NoSecondRepository


class RepositoryName(StrEnum):
    """The first repository, where backups are made, or the second, which has copies. The words are stored."""

    FIRST = "first"
    SECOND = "second"


class BackupListings:
    """The listing of each repository."""

    def __init__(self, first: BackupListing, second: SecondRetention | None) -> None:
        self._first = first
        self._second = second

    async def of(self, repository: RepositoryName) -> BackupListing:
        """What lists the backups there. Raises: NoSecondRepository, ConfigurationError, RepositoryDown."""
        if repository is RepositoryName.FIRST:
            return self._first
        return await _configured(self._second).listing()


class Retentions:
    """The retention of each repository."""

    def __init__(self, first: Pruning, second: SecondRetention | None) -> None:
        self._first = first
        self._second = second

    async def of(self, repository: RepositoryName) -> Pruning:
        """What plans and prunes there. Raises: NoSecondRepository, ConfigurationError, RepositoryDown."""
        if repository is RepositoryName.FIRST:
            return self._first
        return await _configured(self._second).pruning()

    def seen(self) -> Mapping[RepositoryName, Mapping[str, DatabasePlan]]:
        """The last plans that were carried out in each repository, by database."""
        second = None if self._second is None else self._second.known
        found = {RepositoryName.FIRST: self._first.seen}
        return found if second is None else found | {RepositoryName.SECOND: second.seen}


def _configured(second: SecondRetention | None) -> SecondRetention:
    if second is None:
        raise NoSecondRepository("no second repository is configured")
    return second
