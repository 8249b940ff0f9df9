"""A long-running operation in the client's hands, and how one is waited for and watched."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, Generic, TypeVar

from steward_client.connection import asyncio_io
from steward_client.connection.async_connection import AsyncConnection
from steward_client.connection.retry import Deadline
from steward_client.errors import StewardError, Unavailable
from steward_client.operations import calls
from steward_client.operations.state import OperationKinds, OperationState

P = TypeVar("P")
R = TypeVar("R")

LONGEST_WAIT_S = 30.0
"""The time that one WaitOperation is asked for: short enough to notice a daemon that is gone."""
WAIT_PAUSE_S = 0.05
"""The pause between two of them: a daemon that answers too early must not be asked without end."""


class AsyncOperation(Generic[P, R]):
    """A long-running operation as it was when the daemon last answered, and what can be done about it.

    `P` is the type of its progress, `R` that of its result: create_backup begins an operation of BackupProgress and
    Backup.
    """

    def __init__(
        self, connection: AsyncConnection, kinds: OperationKinds, state: OperationState[P, R]
    ) -> None:
        self._connection = connection
        self._kinds = kinds
        self.state = state

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} {'done' if self.done else 'running'}>"

    @property
    def name(self) -> str:
        """`operations/{operation}`."""
        return self.state.name

    @property
    def done(self) -> bool:
        """Whether it has ended, with a result or with an error."""
        return self.state.done

    @property
    def progress(self) -> P | None:
        """Its progress, where that is known."""
        return self.state.progress

    async def refresh(self) -> AsyncOperation[P, R]:
        """Returns the operation as it is now."""
        call = calls.get_operation(self.name, self._kinds)
        return self._with(await self._connection.call(call, None))

    async def wait(self, timeout_s: float | None = None) -> AsyncOperation[P, R]:
        """Returns the operation once it is done. Without `timeout_s` it waits without end.

        Raises: DeadlineExceeded when it is not done in time; the operation goes on.
        """
        if self.done:
            return self
        return self._with(await wait(self._connection, self._kinds, self.name, timeout_s))

    async def watch(self, timeout_s: float | None = None) -> AsyncIterator[AsyncOperation[P, R]]:
        """Yields the operation as it is, and again each time that it changes, until it is done."""
        states = watch(self._connection, self._kinds, self.name, timeout_s)
        async with asyncio_io.closing(states):
            async for state in states:
                yield self._with(state)

    async def cancel(self) -> None:
        """Asks for it to be cancelled."""
        await self._connection.call(calls.cancel_operation(self.name), None)

    async def result(self, timeout_s: float | None = None) -> R:
        """Waits until it is done and returns its result, or raises its error."""
        done = await self.wait(timeout_s)
        return done.state.outcome()

    def _with(self, state: OperationState[P, R]) -> AsyncOperation[P, R]:
        return AsyncOperation(self._connection, self._kinds, state)


async def wait(
    connection: AsyncConnection, kinds: OperationKinds, name: str, timeout_s: float | None
) -> OperationState[Any, Any]:
    """Returns the state of an operation once it is done. Raises: DeadlineExceeded when it is not done in time."""
    deadline = Deadline(timeout_s)
    attempts = connection.settings.attempts(deadline)
    while True:
        wait_s = min(LONGEST_WAIT_S, deadline.remaining_s() or LONGEST_WAIT_S)
        call = calls.wait_operation(name, wait_s, kinds)
        try:
            state = await connection.call(call, wait_s + connection.settings.timeout_s)
        except StewardError as error:
            await asyncio_io.sleep(attempts.failed(error))
            continue
        if state.done:
            return state
        attempts.progressed()
        await asyncio_io.sleep(WAIT_PAUSE_S)


async def watch(
    connection: AsyncConnection, kinds: OperationKinds, name: str, timeout_s: float | None
) -> AsyncGenerator[OperationState[Any, Any], None]:
    """Yields the state of an operation now and after each change, until it is done, over as many calls as it takes."""
    deadline = Deadline(timeout_s)
    attempts = connection.settings.attempts(deadline)
    while True:
        states = connection.stream(calls.watch_operation(name, kinds), deadline.remaining_s())
        try:
            async with asyncio_io.closing(states):
                async for state in states:
                    attempts.progressed()
                    yield state
                    if state.done:
                        return
            # The call ended well while the operation goes on: that is as good as a broken connection.
            raise Unavailable(
                f"the daemon stopped telling of {name} before it was done", reason="WATCH_ENDED"
            )
        except StewardError as error:
            await asyncio_io.sleep(attempts.failed(error))
