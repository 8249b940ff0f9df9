"""Private servers that live for one piece of work: a migration is proven on one, a backup is restored into one.

A scratch server listens on a socket in a private folder alone, runs under the embedded server's account, and gives up
durability for speed, since nothing in it is kept: its cluster is a copy of one that initdb made before. It is of the
wanted major version where the programs for it are found, else of the nearest newer one, and says which. Where the
system allows it, there is no network for it: what a dump brings along runs as its superuser. Its folder stands in the
data folder and goes with its block, whatever ends that; what a killed daemon left is ended and removed at the next
start.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from psycopg import sql
from psycopg.conninfo import make_conninfo

from stewardd.errors import ConfigurationError, StorageFull
from stewardd.postgres.accounts import Account, choose_account
from stewardd.postgres.binaries import Binaries, all_server_binaries, choose_binaries
from stewardd.postgres.cluster import SUPERUSER, Cluster
from stewardd.postgres.cluster_models import ClusterModels
from stewardd.postgres.connect import Connection, connect
from stewardd.postgres.control import ServerControl, end_at_once
from stewardd.postgres.isolation import NetworkIsolation, find_isolation, isolated
from stewardd.postgres.sockets import PORT
from stewardd.postgres.target import DatabaseTarget
from stewardd.telemetry import logger
from stewardd.uninterrupted import uninterrupted

log = logger("postgres")
T = TypeVar("T")

_PREFIX = "scratch-server-"
_CALLED = "the scratch server"
_ROOM_BYTES = 200 << 20  # a cluster, its write-ahead log, and something in it
_STOP_TIMEOUT_S = 10.0
_REMOVAL_ATTEMPTS = 5
SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "shared_buffers": "64MB",
    "max_connections": "30",
    "autovacuum": "off",  # it would take locks that the work did not ask for
    "jit": "off",
    "dynamic_shared_memory_type": "mmap",  # in its folder: files of /dev/shm would outlive processes that are killed
    "lc_messages": "C",
}
"""What a scratch server runs with."""


@dataclass(frozen=True, slots=True)
class ScratchOptions:
    """How scratch servers are run. `server_dirs` are folders of programs, looked at before those that are installed.

    `user` is the system account for a daemon that is root; `settings` are added to, and replace, ours.
    """

    user: str | None = None
    server_dirs: tuple[Path, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    start_timeout_s: float = 120.0


class ScratchServer:
    """One that runs. `version` is what it is of, `wanted_major` what was asked for.

    `reaches_network` says why it could not be kept from the network; "" where it is.
    """

    def __init__(
        self,
        control: ServerControl,
        binaries: Binaries,
        wanted_major: int,
        reaches_network: str = "",
    ) -> None:
        self._control = control
        self.reaches_network = reaches_network
        self.wanted_major = wanted_major
        self.major = binaries.major
        self.version = binaries.version

    @property
    def programs(self) -> Path:
        """Where its client programs are."""
        return self._control.programs

    def target(self, database: str) -> DatabaseTarget:
        """How to connect to a database of it, as its superuser."""
        conninfo = make_conninfo(
            "",
            host=str(self._control.socket_folder),
            port=PORT,
            user=SUPERUSER,
            password=self._control.cluster.password(),
            dbname=database,
            sslmode="disable",
            gssencmode="disable",
            channel_binding="disable",
            target_session_attrs="any",
        )
        return DatabaseTarget("scratch", conninfo)

    @asynccontextmanager
    async def session(self, database: str) -> AsyncIterator[Connection]:
        """A connection to a database of it while the block lasts. Raises DatabaseDown."""
        connection = await connect(self.target(database), "stewardd scratch")
        try:
            yield connection
        finally:
            await connection.close()

    async def create_database(self, name: str, template: str = "template1") -> DatabaseTarget:
        """Makes a database, empty or as a copy of one that nobody is connected to. Raises DatabaseDown."""
        connection = await connect(self.target("postgres"), "stewardd scratch")
        try:
            statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
            await connection.execute(
                statement.format(sql.Identifier(name), sql.Identifier(template))
            )
        finally:
            await connection.close()
        return self.target(name)


class ScratchServers:
    """Starts scratch servers below the data folder."""

    def __init__(self, data_dir: Path, options: ScratchOptions | None = None) -> None:
        self._data_dir = data_dir.absolute()
        self._options = options or ScratchOptions()
        self._finding = asyncio.Lock()
        self._isolation: NetworkIsolation | None = None
        self._models = ClusterModels(self._data_dir, _CALLED)

    async def close(self) -> None:
        """Removes what new servers are copied from. Call it when no server is left."""
        await asyncio.to_thread(self._models.close)

    async def sweep(self) -> list[str]:
        """Ends and removes what a daemon that is dead left; returns which. Call it before anything is started."""
        return await asyncio.to_thread(self._sweep)

    @asynccontextmanager
    async def start(
        self,
        major: int,
        *,
        room_bytes: int = _ROOM_BYTES,
        settings: Mapping[str, str] | None = None,
    ) -> AsyncIterator[ScratchServer]:
        """Runs one while the block lasts.

        `room_bytes` is what must be free on its disk before anything is made. Raises StorageFull, ToolMissing,
        ToolFailed, ConfigurationError, DatabaseDown.
        """
        self._check_room(room_bytes)
        account = await asyncio.to_thread(choose_account, self._options.user)
        isolation = await self._isolation_of(account)
        root = self._data_dir / f"{_PREFIX}{secrets.token_hex(6)}"
        cluster = Cluster(root, isolated(account, isolation), _CALLED, is_kept=False)
        try:
            async with self._finding:  # two that looked at once would copy the programs at once
                binaries = await _in_thread(lambda: self._choose(cluster, account, major))
                model = await _in_thread(lambda: self._models.model_of(binaries, account))
            control = ServerControl(
                cluster,
                binaries,
                {**SETTINGS, **self._options.settings, **(settings or {})},
                self._options.start_timeout_s,
                _STOP_TIMEOUT_S,
            )
            await _in_thread(lambda: _launch(cluster, model, control))
            await control.wait_until_ready()
            log.info(
                "scratch server started",
                version=binaries.version,
                wanted=major,
                network=f"reachable ({isolation.refusal})" if isolation.refusal else "none",
            )
            yield ScratchServer(control, binaries, major, isolation.refusal)
        finally:
            await _in_thread(lambda: _remove(cluster))

    async def _isolation_of(self, account: Account) -> NetworkIsolation:
        async with self._finding:
            if self._isolation is None:
                self._isolation = await _in_thread(lambda: find_isolation(account))
            return self._isolation

    def _choose(self, cluster: Cluster, account: Account, major: int) -> Binaries:
        shared = self._data_dir / "postgres"  # the embedded server's copy serves here as well
        copy_to = shared / "programs" if shared.is_dir() else self._data_dir / "programs"
        cluster.prepare()
        found = all_server_binaries(account, self._options.server_dirs, copy_to)
        return choose_binaries(major, found)

    def _check_room(self, room_bytes: int) -> None:
        status = os.statvfs(self._data_dir)
        free_bytes = status.f_bavail * status.f_frsize
        if free_bytes < room_bytes:
            raise StorageFull(
                f"no room for a scratch server in {self._data_dir}: {free_bytes >> 20} MiB are free, and it needs "
                f"{room_bytes >> 20} MiB",
                hint="free room there, or choose a larger disk for the data folder",
            )

    def _sweep(self) -> list[str]:
        self._models.sweep()
        left = sorted(self._data_dir.glob(f"{_PREFIX}*"))
        if not left:
            return []
        account = choose_account(self._options.user)
        for root in left:
            log.warning("scratch server removed", folder=str(root), left_by="a dead daemon")
            _remove(Cluster(root, account, _CALLED, is_kept=False))
        return [root.name for root in left]


def _launch(cluster: Cluster, model: Cluster, control: ServerControl) -> None:
    cluster.copy(model)
    control.launch()


def _remove(cluster: Cluster) -> None:
    end_at_once(cluster)
    for _ in range(_REMOVAL_ATTEMPTS):  # processes of a killed server may still write for a moment
        shutil.rmtree(cluster.root, ignore_errors=True)
        if not cluster.root.exists():
            return
    log.error("scratch server not removed", folder=str(cluster.root))


async def _in_thread(work: Callable[[], T]) -> T:
    """Does blocking work to its end, also while being cancelled: what it makes must be there to be removed."""
    try:
        return await uninterrupted(asyncio.to_thread(work))
    except OSError as error:
        raise ConfigurationError(
            f"a scratch server cannot be set up at {error.filename or 'the data folder'}: {error.strerror or error}",
            hint="the data folder must be the daemon's own, and its disk must have room",
        ) from error
