"""One trial of a backup: signature, checksums, decryption, a restore into a scratch server, and the comparison.

The scratch server is of the source's major version where its programs are here, else of the nearest newer one, and the
proof says which. What goes wrong on the way is sorted: what is wrong with the backup, what this machine lacks, and what
says nothing of the backup at all.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from stewardd.backup.keys.keyring import Keyring
from stewardd.backup.manifest.backup import BackupManifest, DumpForm, ProofMode
from stewardd.backup.manifest.contents import BackupContents
from stewardd.backup.proof import BackupProof, ProofState
from stewardd.backup.reading.contents import read_contents, read_globals
from stewardd.backup.restoring.options import (
    RestoreIssue,
    RestoreOptions,
    RestorePhase,
    RestoreProgress,
    RestoreResult,
    RestoreSource,
)
from stewardd.backup.restoring.restore import restore_into, restoring_tools
from stewardd.backup.verifying.comparing import compare_restored, expected_of, known_method
from stewardd.backup.verifying.judging import TrialVerdict, judge
from stewardd.backup.verifying.progress import VerifyPhase, VerifyProgress
from stewardd.backup.worker.psql_session import psql_sessions
from stewardd.errors import (
    ConfigurationError,
    Corrupt,
    DatabaseDown,
    DatabaseRefused,
    DocumentTooNew,
    Exhausted,
    KeyMissing,
    RepositoryDown,
    SignerUnknown,
    StewardError,
    ToolFailed,
    ToolMissing,
)
from stewardd.postgres.binaries import major_of
from stewardd.postgres.dump_catalog import TableName
from stewardd.postgres.restored import APPLICATION, read_restored, refresh_views
from stewardd.postgres.scratch import ScratchServer, ScratchServers
from stewardd.postgres.scratch_database import DatabaseForm, create_like, make_roles
from stewardd.postgres.target import DatabaseTarget
from stewardd.repository.backend.store import Store
from stewardd.telemetry import logger

log = logger("backup")
Report = Callable[[VerifyProgress], None]

_DATABASE = "restored"
_ROOM_BYTES = 300 << 20  # beside the data: a cluster, its log, sorting
_SETTINGS = {
    "maintenance_work_mem": "256MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "1h",
    "max_locks_per_transaction": "1024",
}
_MADE_ROLE = re.compile(
    r'^CREATE ROLE (?:"(?P<quoted>(?:[^"]|"")+)"|(?P<plain>\S+));$', re.MULTILINE
)
_REFRESH = "MATERIALIZED VIEW DATA "
# What stands in the way of a trial, and says nothing of the backup.
_IN_THE_WAY = (
    Exhausted,
    DatabaseDown,
    DatabaseRefused,
    ToolFailed,
    RepositoryDown,
    ConfigurationError,
)
# What a trial needs and this daemon has not: also the knowledge of a document that a newer daemon wrote.
_NOT_HERE = (KeyMissing, SignerUnknown, ToolMissing, DocumentTooNew)


@dataclass(frozen=True, slots=True)
class TrialOptions:
    """How trials are made. `verifier` names this daemon in the proofs."""

    store_url: str
    store_options: Mapping[str, str] = field(default_factory=dict)
    staging_dir: Path = field(default_factory=Path)
    tools_dir: Path | None = None
    jobs: int = 1
    max_duration_s: float = 6 * 3600.0
    reserve_bytes: int = 256 << 20
    verifier: str = ""


class BackupTrials:
    """Tries backups of one repository, each on a scratch server of its own."""

    def __init__(
        self,
        store: Store,
        servers: ScratchServers,
        keyring: Keyring,
        options: TrialOptions,
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._servers = servers
        self._keyring = keyring
        self._options = options
        self._now = now

    def can_read(self, recipients: Iterable[str]) -> bool:
        """Whether a key that is here reads what is encrypted to these; to none, where it is not encrypted."""
        theirs = set(recipients)
        ours = {each.recipient for each in self._keyring.identities}
        return not theirs or not ours.isdisjoint(theirs)

    async def run(self, manifest: BackupManifest, report: Report) -> BackupProof:
        """Tries a backup; cancelling the task ends everything that it started.

        Raises: BackupNotFound when it was deleted meanwhile.
        """
        began_at = time.monotonic()
        trial = _Trial(self._store, self._servers, self._keyring, self._options, manifest, report)
        try:
            verdict = await trial.run()
        except _NOT_HERE as error:
            verdict = TrialVerdict(ProofState.UNVERIFIABLE, error.reason, error.message)
        except Corrupt as error:
            verdict = TrialVerdict(ProofState.CORRUPT, error.reason, error.message)
        except _IN_THE_WAY as error:
            verdict = TrialVerdict(ProofState.COULD_NOT_RUN, error.reason, error.message)
        proof = replace(
            trial.proof(verdict, self._now()), elapsed_s=round(time.monotonic() - began_at, 3)
        )
        tell = log.error if proof.outcome is ProofState.CORRUPT else log.info
        tell(
            "backup tried",
            backup=manifest.backup_id,
            database=manifest.database,
            outcome=proof.outcome.value,
            detail=proof.detail,
            elapsed_s=proof.elapsed_s,
        )
        return proof

    def refused(self, error: StewardError) -> BackupProof:
        """The proof of a backup whose manifest cannot be read, or not by this daemon."""
        return BackupProof(
            ProofState.UNVERIFIABLE if isinstance(error, _NOT_HERE) else ProofState.CORRUPT,
            self._now(),
            error.reason,
            error.message,
            verifier=self._options.verifier,
        )


class _Trial:
    """One trial, and what is known of it so far."""

    def __init__(
        self,
        store: Store,
        servers: ScratchServers,
        keyring: Keyring,
        options: TrialOptions,
        manifest: BackupManifest,
        report: Report,
    ) -> None:
        self._store = store
        self._servers = servers
        self._keyring = keyring
        self._options = options
        self._manifest = manifest
        self._report = report
        self._progress = VerifyProgress(manifest.backup_id, manifest.database)
        self._notes: list[str] = []
        self._server_version = ""
        self._restore_s = 0.0
        self._psql: str | None = None
        self._contents = BackupContents(manifest.form)

    def proof(self, verdict: TrialVerdict, now: datetime) -> BackupProof:
        """What it comes to."""
        tables = self._contents.tables
        return BackupProof(
            verdict.outcome,
            now,
            verdict.reason,
            verdict.detail,
            verdict.differences,
            tuple(self._notes),
            self._server_version,
            round(self._restore_s, 3),
            0.0,
            len(tables),
            sum(each.rows for each in tables),
            self._options.verifier,
        )

    async def run(self) -> TrialVerdict:
        manifest = self._manifest
        self._keyring.check_signer(manifest)
        self._contents = await read_contents(self._store, manifest, self._keyring.identities)
        self._advance(VerifyPhase.PREPARING, total_tables=len(self._contents.tables))
        staged_bytes = manifest.dump_size_bytes if manifest.form is DumpForm.DIRECTORY else 0
        room_bytes = manifest.database_size_bytes + staged_bytes + _ROOM_BYTES
        major = major_of(manifest.server_version)
        began_at = time.monotonic()
        async with self._servers.start(major, room_bytes=room_bytes, settings=_SETTINGS) as server:
            self._server_version = server.version
            if server.major != major:
                self._notes.append(
                    f"there is no PostgreSQL {major} here; it was restored into {server.version}"
                )
            if server.reaches_network:
                self._notes.append(
                    f"the scratch server was not kept from the network: {server.reaches_network}"
                )
            target = await self._prepare(server)
            restored = await self._restore(server, target)
            self._restore_s = time.monotonic() - began_at
            issues = await self._refresh(target, restored.issues)
            return await self._compare(target, issues)

    async def _prepare(self, server: ScratchServer) -> DatabaseTarget:
        """Makes the database, and the roles that the dump names."""
        source = self._manifest.source
        made = await create_like(
            server,
            _DATABASE,
            DatabaseForm(
                source.encoding,
                source.collation,
                source.character_type,
                source.locale_provider,
                source.locale,
            ),
        )
        if made.replaced_locale:
            self._notes.append(
                f"the locale {made.replaced_locale!r} is not here; it was restored under C"
            )
        roles = set(self._contents.roles)
        globals_text = await read_globals(self._store, self._manifest, self._keyring.identities)
        for found in _MADE_ROLE.finditer(globals_text.decode(errors="replace")):
            roles.add((found["quoted"] or found["plain"]).replace('""', '"'))
        await make_roles(server, sorted(roles))
        return made.target

    async def _restore(self, server: ScratchServer, target: DatabaseTarget) -> RestoreResult:
        options = self._options
        tools = await restoring_tools(self._manifest, server.major, options.tools_dir)
        self._psql = tools.psql
        source = RestoreSource(
            self._manifest, options.store_url, options.store_options, self._keyring.identities
        )
        return await restore_into(
            source,
            target,
            tools.program("pg_restore"),
            RestoreOptions(
                jobs=options.jobs,
                with_tablespaces=False,
                with_subscriptions=False,
                with_security_labels=False,
                stop_at_first_error=False,
                staging_dir=options.staging_dir,
                reserve_bytes=options.reserve_bytes,
                max_duration_s=options.max_duration_s,
            ),
            self._hear,
        )

    async def _refresh(
        self, target: DatabaseTarget, issues: tuple[RestoreIssue, ...]
    ) -> list[RestoreIssue]:
        """Refreshes what could not be with an empty search_path; returns the issues that are left."""
        views = {
            each.entry.removeprefix(_REFRESH) for each in issues if each.entry.startswith(_REFRESH)
        }
        if not views:
            return list(issues)
        refreshed = await refresh_views(target, views)
        if refreshed:
            names = ", ".join(sorted(refreshed))
            self._notes.append(
                f"a restore leaves these materialised views empty, since their functions name no schema: {names}"
            )
        return [each for each in issues if each.entry.removeprefix(_REFRESH) not in refreshed]

    async def _compare(self, target: DatabaseTarget, issues: list[RestoreIssue]) -> TrialVerdict:
        contents = self._contents
        self._advance(VerifyPhase.COMPARING, restored_tables=0)
        found = await read_restored(
            target,
            [TableName(each.schema, each.name) for each in contents.tables],
            method=known_method(contents),
            jobs=self._options.jobs,
            start_session=psql_sessions(self._psql, APPLICATION),
            on_table=self._count_table,
        )
        expected = expected_of(self._manifest, contents)
        verdict = judge(issues, compare_restored(expected, found))
        if verdict.outcome is ProofState.VERIFIED:
            if self._manifest.proof is ProofMode.NONE:
                return TrialVerdict(
                    ProofState.UNVERIFIABLE,
                    "NOTHING_RECORDED",
                    "it can be restored, and nothing was recorded to compare its rows with",
                )
            if self._manifest.proof is ProofMode.COUNT:
                self._notes.append("rows were counted, and their values not compared")
            elif known_method(contents) is None:
                self._notes.append(
                    "rows were counted, and their values not compared, since this daemon does not know their "
                    f"method {contents.method!r}"
                )
            if contents.schema is None:
                self._notes.append("its catalogue was not recorded, and is not compared")
        return verdict

    def _hear(self, told: RestoreProgress) -> None:
        checking = told.phase is RestorePhase.CHECKING
        self._advance(
            VerifyPhase.CHECKING if checking else VerifyPhase.RESTORING,
            read_bytes=told.read_bytes,
            total_bytes=told.total_bytes,
            restored_tables=told.restored_tables,
        )

    def _count_table(self) -> None:
        self._advance(VerifyPhase.COMPARING, compared_tables=self._progress.compared_tables + 1)

    def _advance(self, phase: VerifyPhase, **changes: Any) -> None:
        self._progress = replace(self._progress, phase=phase, **changes)
        self._report(self._progress)
