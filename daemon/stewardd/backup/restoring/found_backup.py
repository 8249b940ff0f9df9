"""Finds the backup that a restore names, in the repository or in the second one, and reads what a plan needs of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from stewardd.backup.catalog import BackupCatalog
from stewardd.backup.copying.second_repository import SecondRepository
from stewardd.backup.keys.keyring import Keyring
from stewardd.backup.manifest.backup import BackupManifest
from stewardd.backup.manifest.contents import BackupContents
from stewardd.backup.reading.contents import read_contents
from stewardd.backup.restoring.archive_head import read_head
from stewardd.backup.restoring.expectation import expected_after
from stewardd.backup.restoring.options import RestoreOptions, RestoreResult, RestoreSource
from stewardd.backup.restoring.plan import DumpFacts
from stewardd.backup.restoring.request import RestoreMode, RestoreRequest, RestoreRoles
from stewardd.backup.restoring.restore import Report, restore_into, restoring_tools
from stewardd.backup.restoring.roles import roles_of
from stewardd.backup.restoring.selection import ChosenEntries, choose_entries
from stewardd.backup.restoring.table_of_contents import TocEntry
from stewardd.backup.states import BackupStates
from stewardd.backup.verifying.comparing import Expected, recorded_tables
from stewardd.errors import NoSecondRepository, SignerUnknown, StewardError
from stewardd.postgres.dump_catalog import TableName
from stewardd.postgres.probe import Sight
from stewardd.postgres.restoring.databases import DatabaseLocale
from stewardd.postgres.target import DatabaseTarget
from stewardd.postgres.tools import ClientTools
from stewardd.repository.backend.store import Store

_EXTENSION = "EXTENSION"
_FOREIGN_KEY = "FK CONSTRAINT"


@dataclass(frozen=True, slots=True)
class FoundBackup:
    """A backup that is to be restored: where it lies, its entries, which are chosen, and what a plan depends on."""

    source: RestoreSource
    contents: BackupContents
    entries: tuple[TocEntry, ...]
    chosen: ChosenEntries
    facts: DumpFacts

    @property
    def manifest(self) -> BackupManifest:
        """Its manifest."""
        return self.source.manifest

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"backups/{self.manifest.backup_id}"

    @property
    def database(self) -> str:
        """The configured database that it is of."""
        return self.manifest.database

    @property
    def locale(self) -> DatabaseLocale:
        """That of the database that was backed up."""
        source = self.manifest.source
        return DatabaseLocale(
            encoding=source.encoding,
            provider=source.locale_provider,
            collation=source.collation,
            character_type=source.character_type,
            locale=source.locale,
        )

    def expected(self, request: RestoreRequest, *, is_added: bool) -> Expected:
        """What a restore of it must bring back."""
        return expected_after(
            self.manifest, self.contents, self.entries, self.chosen, request, is_added=is_added
        )

    @property
    def not_compared(self) -> tuple[str, ...]:
        """The chosen tables of which the backup has no count."""
        counted = recorded_tables(self.contents).keys()
        return tuple(sorted(str(name) for name in self.chosen.tables - counted))

    async def tools(self, sight: Sight, tools_dir: Path | None) -> ClientTools:
        """A pg_restore that is older than neither the server nor the pg_dump that wrote it. Raises: ToolMissing."""
        return await restoring_tools(
            self.manifest, sight.major, tools_dir, needs_tls=sight.tls, needs_gss=sight.gss
        )

    async def examined(self, _options: RestoreOptions, _report: Report) -> FoundBackup:
        """Returns it as it is: its manifest is signed, and the restore checks all bytes first."""
        return self

    async def restore(
        self, target: DatabaseTarget, tools: ClientTools, options: RestoreOptions, report: Report
    ) -> RestoreResult:
        """Restores it: see restore_into."""
        program = tools.program("pg_restore")
        return await restore_into(self.source, target, program, options, report)


class BackupFinder:
    """Finds backups. `scratch` is a folder for what is read of them."""

    def __init__(
        self,
        store: Store,
        store_url: str,
        store_options: Mapping[str, str],
        keyring: Keyring,
        second: SecondRepository | None,
        scratch: Path,
    ) -> None:
        self._store = store
        self._store_url = store_url
        self._store_options = dict(store_options)
        self._keyring = keyring
        self._second = second
        self._scratch = scratch

    async def find(self, request: RestoreRequest) -> FoundBackup:
        """Reads what a plan needs.

        Raises: BackupNotFound, NoSecondRepository, InvalidRequest for what the backup does not hold, KeyMissing,
        Corrupt, RepositoryDown.
        """
        store, url, options = await self._place(request)
        manifest = await BackupCatalog(store).get(request.backup_id)
        identities = self._keyring.identities
        contents = await read_contents(store, manifest, identities)
        head = await read_head(store, manifest, contents, identities, self._scratch)
        chosen = _chosen(request, head.entries)
        return FoundBackup(
            RestoreSource(manifest, url, options, identities),
            contents,
            head.entries,
            chosen,
            replace(
                _facts(request, manifest, contents, chosen),
                is_deleted=not request.from_second and await self._is_deleted(manifest.backup_id),
                refusal=self._refusal(request, manifest),
            ),
        )

    async def _place(self, request: RestoreRequest) -> tuple[Store, str, dict[str, str]]:
        if not request.from_second:
            return self._store, self._store_url, self._store_options
        if self._second is None:
            raise NoSecondRepository("no second repository is configured to restore from")
        return await self._second.store(), self._second.url, dict(self._second.options)

    async def _is_deleted(self, backup_id: str) -> bool:
        return (await BackupStates(self._store).of(backup_id)).deleted

    def _refusal(self, request: RestoreRequest, manifest: BackupManifest) -> StewardError | None:
        if request.accepts_unknown_signer:
            return None
        try:
            self._keyring.check_signer(manifest)
        except SignerUnknown as error:
            return error
        return None


def _chosen(request: RestoreRequest, entries: tuple[TocEntry, ...]) -> ChosenEntries:
    if request.selection.is_whole:
        return ChosenEntries(entries, ())
    return choose_entries(
        entries,
        schemas=request.selection.schemas,
        tables=request.tables,
        with_needs=request.mode is not RestoreMode.IN_PLACE,
    )


def _facts(
    request: RestoreRequest,
    manifest: BackupManifest,
    contents: BackupContents,
    chosen: ChosenEntries,
) -> DumpFacts:
    tables = chosen.tables
    rows = {TableName(each.schema, each.name): each.rows for each in contents.tables}
    return replace(
        DumpFacts.of_manifest(manifest),
        tables=len(tables),
        rows=sum(rows.get(name, 0) for name in tables),
        roles=roles_of(chosen.entries, with_owners=request.roles is not RestoreRoles.IGNORE),
        extensions=frozenset(each.name for each in chosen.entries if each.kind == _EXTENSION),
        left_out=tuple(
            f"{each.schema}.{each.name}" for each in chosen.left_out if each.kind == _FOREIGN_KEY
        ),
    )
