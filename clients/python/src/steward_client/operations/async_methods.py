"""The client's methods for operations of every kind: google.longrunning.Operations, and OperationService."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, ClassVar

from steward_client.connection import asyncio_io
from steward_client.connection.async_service import AsyncService
from steward_client.operations import calls
from steward_client.operations.async_operation import AsyncOperation, wait, watch
from steward_client.operations.state import OperationKinds


class AsyncOperationMethods(AsyncService):
    """Reads, awaits, watches and cancels operations."""

    _operation_kinds: ClassVar[OperationKinds]
    """All kinds that the client can read; the client lists them."""

    async def get_operation(
        self, name: str, *, timeout_s: float | None = None
    ) -> AsyncOperation[Any, Any]:
        """Returns an operation as it is now."""
        kinds = self._operation_kinds
        state = await self._connection.call(calls.get_operation(name, kinds), timeout_s)
        return AsyncOperation(self._connection, kinds, state)

    async def list_operations(
        self, *, page_size: int = 0, id_prefix: str = "", timeout_s: float | None = None
    ) -> AsyncIterator[AsyncOperation[Any, Any]]:
        """Yields the operations, newest first; with `id_prefix` only those whose id begins with it."""
        kinds = self._operation_kinds
        pages = calls.list_operations(page_size, kinds, id_prefix)
        async for state in self._connection.items(pages, timeout_s):
            yield AsyncOperation(self._connection, kinds, state)

    async def wait_operation(
        self, name: str, *, timeout_s: float | None = None
    ) -> AsyncOperation[Any, Any]:
        """Returns the operation once it is done, with a result or an error. Without `timeout_s` it waits without end.

        Raises: DeadlineExceeded when it is not done in time; the operation goes on.
        """
        kinds = self._operation_kinds
        state = await wait(self._connection, kinds, name, timeout_s)
        return AsyncOperation(self._connection, kinds, state)

    async def watch_operation(
        self, name: str, *, timeout_s: float | None = None
    ) -> AsyncIterator[AsyncOperation[Any, Any]]:
        """Yields the operation as it is, and again each time that it changes, until it is done.

        When the connection breaks, a new one is made; the state at that time then comes first.
        """
        kinds = self._operation_kinds
        states = watch(self._connection, kinds, name, timeout_s)
        async with asyncio_io.closing(states):
            async for state in states:
                yield AsyncOperation(self._connection, kinds, state)

    async def cancel_operation(self, name: str, *, timeout_s: float | None = None) -> None:
        """Asks for an operation to be cancelled; it may be done before the daemon sees that."""
        await self._connection.call(calls.cancel_operation(name), timeout_s)
