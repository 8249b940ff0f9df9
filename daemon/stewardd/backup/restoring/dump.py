"""What a restore needs of the thing that is restored: a backup of steward, or a dump that somebody else made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol, Self

from stewardd.backup.restoring.options import RestoreOptions, RestoreProgress, RestoreResult
from stewardd.backup.restoring.plan import DumpFacts
from stewardd.backup.restoring.request import RestoreRequest
from stewardd.backup.verifying.comparing import Expected
from stewardd.postgres.probe import Sight
from stewardd.postgres.restoring.databases import DatabaseLocale
from stewardd.postgres.target import DatabaseTarget
from stewardd.postgres.tools import ClientTools

Report = Callable[[RestoreProgress], None]


class FoundDump(Protocol):
    """A dump that a request names."""

    @property
    def facts(self) -> DumpFacts:
        """What a plan depends on."""
        ...

    @property
    def name(self) -> str:
        """What people call it: `backups/…`, or a URI."""
        ...

    @property
    def database(self) -> str:
        """The configured database that it is of; "" where it says none."""
        ...

    @property
    def locale(self) -> DatabaseLocale:
        """How text is encoded and compared in the database that is made for it."""
        ...

    def expected(self, request: RestoreRequest, *, is_added: bool) -> Expected | None:
        """What a restore of it must bring back, `is_added` into a database that was there; None where nobody knows."""
        ...

    @property
    def not_compared(self) -> tuple[str, ...]:
        """The chosen tables of which it has no count."""
        ...

    async def tools(self, sight: Sight, tools_dir: Path | None) -> ClientTools:
        """Chooses the client tools that restore it on a server. Raises: ToolMissing."""
        ...

    async def examined(self, options: RestoreOptions, report: Report) -> Self:
        """Returns it with what only a reading to its end tells, before anything is made for it.

        Raises: DumpUnreadable, UriRefused, InputRefused, Exhausted.
        """
        ...

    async def restore(
        self, target: DatabaseTarget, tools: ClientTools, options: RestoreOptions, report: Report
    ) -> RestoreResult:
        """Puts it into a database; cancelling ends all processes first. Raises: see restore.restore_into."""
        ...


class DumpFinder(Protocol):
    """Finds what a request names."""

    async def find(self, request: RestoreRequest) -> FoundDump:
        """Reads what a plan needs. Raises: BackupNotFound, UriRefused, DumpUnreadable; see each finder."""
        ...


class DumpFinders:
    """Finds a backup or a dump file, by what the request names."""

    def __init__(self, backups: DumpFinder, files: DumpFinder) -> None:
        self._backups = backups
        self._files = files

    async def find(self, request: RestoreRequest) -> FoundDump:
        """See DumpFinder.find."""
        return await (self._files if request.dump_uri else self._backups).find(request)
