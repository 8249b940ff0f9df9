"""Operations, for the asyncio client: as plain/operations.py, awaited."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, Generic, TypeVar

from steward_client import calls
from steward_client.aio.connection import AsyncConnection
from steward_client.errors import StewardError
from steward_client.operations import OperationState
from steward_client.retry import Deadline
from steward_client.shell import LONGEST_WAIT_S, WAIT_PAUSE_S, watch_broken

P = TypeVar("P")
R = TypeVar("R")


class AsyncOperationMethods(AsyncConnection):
    """Everything about operations of any kind."""

    async def get_operation(
        self, name: str, *, timeout_s: float | None = None
    ) -> AsyncOperation[Any, Any]:
        """As Client.get_operation."""
        return AsyncOperation(
            self, await self._call(calls.get_operation(name), self._short(timeout_s))
        )

    async def list_operations(
        self, *, page_size: int = 0, timeout_s: float | None = None
    ) -> AsyncIterator[AsyncOperation[Any, Any]]:
        """As Client.list_operations."""
        async for state in self._items(calls.list_operations(page_size), self._short(timeout_s)):
            yield AsyncOperation(self, state)

    async def wait_operation(
        self, name: str, *, timeout_s: float | None = None
    ) -> AsyncOperation[Any, Any]:
        """As Client.wait_operation."""
        deadline = Deadline(timeout_s)
        attempts = self._attempts(deadline)
        while True:
            wait_s = min(LONGEST_WAIT_S, deadline.remaining_s() or LONGEST_WAIT_S)
            try:
                state = await self._call(
                    calls.wait_operation(name, wait_s), wait_s + self.timeout_s
                )
            except StewardError as error:
                await asyncio.sleep(attempts.failed(error))
                continue
            if state.done:
                return AsyncOperation(self, state)
            attempts.progressed()
            await asyncio.sleep(WAIT_PAUSE_S)

    async def watch_operation(
        self, name: str, *, timeout_s: float | None = None
    ) -> AsyncIterator[AsyncOperation[Any, Any]]:
        """As Client.watch_operation."""
        deadline = Deadline(timeout_s)
        attempts = self._attempts(deadline)
        while True:
            states = self._stream(calls.watch_operation(name), deadline.remaining_s())
            try:
                async with contextlib.aclosing(states):
                    async for state in states:
                        attempts.progressed()
                        yield AsyncOperation(self, state)
                        if state.done:
                            return
                raise watch_broken(name)
            except StewardError as error:
                await asyncio.sleep(attempts.failed(error))

    async def cancel_operation(self, name: str, *, timeout_s: float | None = None) -> None:
        """As Client.cancel_operation."""
        await self._call(calls.cancel_operation(name), self._short(timeout_s))


class AsyncOperation(Generic[P, R]):
    """As `Operation`, for asyncio."""

    def __init__(self, client: AsyncOperationMethods, state: OperationState[P, R]) -> None:
        self._client = client
        self.state = state

    def __repr__(self) -> str:
        return f"<AsyncOperation {self.name} {'done' if self.done else 'running'}>"

    @property
    def name(self) -> str:
        """`operations/{operation}`."""
        return self.state.name

    @property
    def done(self) -> bool:
        """Whether it has ended, for good or ill."""
        return self.state.done

    @property
    def progress(self) -> P | None:
        """How far it has come, where that can be told."""
        return self.state.progress

    async def refresh(self) -> AsyncOperation[P, R]:
        """As Operation.refresh."""
        return await self._client.get_operation(self.name)

    async def wait(self, timeout_s: float | None = None) -> AsyncOperation[P, R]:
        """As Operation.wait."""
        if self.done:
            return self
        return await self._client.wait_operation(self.name, timeout_s=timeout_s)

    def watch(self, timeout_s: float | None = None) -> AsyncIterator[AsyncOperation[P, R]]:
        """As Operation.watch."""
        return self._client.watch_operation(self.name, timeout_s=timeout_s)

    async def cancel(self) -> None:
        """As Operation.cancel."""
        await self._client.cancel_operation(self.name)

    async def result(self, timeout_s: float | None = None) -> R:
        """As Operation.result."""
        return (await self.wait(timeout_s)).state.outcome()
