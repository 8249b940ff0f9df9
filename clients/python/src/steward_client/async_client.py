"""The client: one connection, and the methods of every service on it. A new service is one more base and its kinds.

`Client` blocks; the asyncio client has the same methods, awaited, and its listings and watches are asynchronous
iterators. The plain client is generated from the asyncio client.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

import grpc

from steward_client.backups import types as backups
from steward_client.backups.async_methods import AsyncBackupMethods
from steward_client.connection.async_connection import AsyncConnection
from steward_client.connection.channel import DEFAULT_TARGET, Target
from steward_client.connection.retry import OnRetry, RetryPolicy
from steward_client.connection.settings import ConnectionSettings
from steward_client.databases.async_methods import AsyncDatabaseMethods
from steward_client.health.async_methods import AsyncHealthMethods
from steward_client.migrations import types as migrations
from steward_client.migrations.async_methods import AsyncMigrationMethods
from steward_client.operations.async_methods import AsyncOperationMethods
from steward_client.quarantine import outcomes as quarantine
from steward_client.quarantine.async_methods import AsyncQuarantineMethods
from steward_client.schedules.async_methods import AsyncScheduleMethods
from steward_client.validation.async_methods import AsyncValidationMethods


class AsyncClient(
    AsyncValidationMethods,
    AsyncQuarantineMethods,
    AsyncBackupMethods,
    AsyncScheduleMethods,
    AsyncDatabaseMethods,
    AsyncMigrationMethods,
    AsyncOperationMethods,
    AsyncHealthMethods,
):
    """A connection to one daemon, made when it is first needed.

    `target` is `HOST[:PORT]` or `unix:///path`. `timeout_s` bounds a short call, `transfer_timeout_s` an upload or a
    download with all its retries; each method takes a `timeout_s` of its own. `on_retry` is called, perhaps in another
    thread, before a call is sent again that gRPC does not repeat by itself. Every method raises a StewardError as
    errors.py draws them. Threads may share the plain client; the asyncio client belongs to the event loop that runs
    when it is made, and a task that is cancelled cancels its call. Processes share neither.

    >>> async with AsyncClient("localhost:50551") as client:  # doctest: +SKIP
    ...     batch = await client.validate_file("sessions.csv", keep_valid_rows=True)
    ...     async for row in client.quarantined_rows(batch.name):
    ...         print(row.row_number, row.violations)
    ...     await client.download_batch_file(f"{batch.name}/files/valid.csv", "valid.csv")
    """

    _operation_kinds = (
        backups.OPERATION_KINDS | quarantine.OPERATION_KINDS | migrations.OPERATION_KINDS
    )

    def __init__(
        self,
        target: str = DEFAULT_TARGET,
        *,
        credentials: grpc.ChannelCredentials | None = None,
        timeout_s: float = 30.0,
        transfer_timeout_s: float = 3600.0,
        retry: RetryPolicy | None = None,
        on_retry: OnRetry | None = None,
    ) -> None:
        settings = ConnectionSettings(
            target=Target.parse(target),
            timeout_s=timeout_s,
            transfer_timeout_s=transfer_timeout_s,
            retry=retry or RetryPolicy(),
            on_retry=on_retry,
        )
        super().__init__(AsyncConnection(settings, credentials))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends the connection; calls that are under way fail as Cancelled."""
        await self._connection.close()
