"""Operations, for the plain client: what outlasts a call, and how it is waited for and watched."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Generic, TypeVar

from steward_client import calls
from steward_client.errors import StewardError
from steward_client.operations import OperationState
from steward_client.plain.connection import Connection
from steward_client.retry import Deadline
from steward_client.shell import LONGEST_WAIT_S, WAIT_PAUSE_S, watch_broken

P = TypeVar("P")
R = TypeVar("R")


class OperationMethods(Connection):
    """Everything about operations of any kind."""

    def get_operation(self, name: str, *, timeout_s: float | None = None) -> Operation[Any, Any]:
        """Returns an operation as it is now."""
        return Operation(self, self._call(calls.get_operation(name), self._short(timeout_s)))

    def list_operations(
        self, *, page_size: int = 0, timeout_s: float | None = None
    ) -> Iterator[Operation[Any, Any]]:
        """Yields the operations, newest first."""
        for state in self._items(calls.list_operations(page_size), self._short(timeout_s)):
            yield Operation(self, state)

    def wait_operation(self, name: str, *, timeout_s: float | None = None) -> Operation[Any, Any]:
        """Returns the operation once it is done, for good or ill; without `timeout_s` it waits as long as it takes.

        Raises DeadlineExceeded when it is not done in time; the operation goes on.
        """
        deadline = Deadline(timeout_s)
        attempts = self._attempts(deadline)
        while True:
            wait_s = min(LONGEST_WAIT_S, deadline.remaining_s() or LONGEST_WAIT_S)
            try:
                state = self._call(calls.wait_operation(name, wait_s), wait_s + self.timeout_s)
            except StewardError as error:
                time.sleep(attempts.failed(error))
                continue
            if state.done:
                return Operation(self, state)
            attempts.progressed()
            time.sleep(WAIT_PAUSE_S)

    def watch_operation(
        self, name: str, *, timeout_s: float | None = None
    ) -> Iterator[Operation[Any, Any]]:
        """Yields the operation as it is, and again each time that it changes, until it is done.

        A broken connection is made anew; then the state at that time comes first.
        """
        deadline = Deadline(timeout_s)
        attempts = self._attempts(deadline)
        while True:
            try:
                for state in self._stream(calls.watch_operation(name), deadline.remaining_s()):
                    attempts.progressed()
                    yield Operation(self, state)
                    if state.done:
                        return
                raise watch_broken(name)
            except StewardError as error:
                time.sleep(attempts.failed(error))

    def cancel_operation(self, name: str, *, timeout_s: float | None = None) -> None:
        """Asks for an operation to be cancelled; it may be done before that is seen."""
        self._call(calls.cancel_operation(name), self._short(timeout_s))


class Operation(Generic[P, R]):
    """A long-running operation as it was when the daemon last answered, and what can be done about it.

    `P` is how it tells of its progress, `R` what it comes to: create_backup begins an
    Operation[BackupProgress, Backup].
    """

    def __init__(self, client: OperationMethods, state: OperationState[P, R]) -> None:
        self._client = client
        self.state = state

    def __repr__(self) -> str:
        return f"<Operation {self.name} {'done' if self.done else 'running'}>"

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

    def refresh(self) -> Operation[P, R]:
        """Returns the operation as it is now."""
        return self._client.get_operation(self.name)

    def wait(self, timeout_s: float | None = None) -> Operation[P, R]:
        """Returns the operation once it is done. Raises DeadlineExceeded when it is not in time; it goes on."""
        return self if self.done else self._client.wait_operation(self.name, timeout_s=timeout_s)

    def watch(self, timeout_s: float | None = None) -> Iterator[Operation[P, R]]:
        """Yields the operation as it is, and again each time that it changes, until it is done."""
        return self._client.watch_operation(self.name, timeout_s=timeout_s)

    def cancel(self) -> None:
        """Asks for it to be cancelled."""
        self._client.cancel_operation(self.name)

    def result(self, timeout_s: float | None = None) -> R:
        """Waits for it to be done and returns what it came to, or raises its error."""
        return self.wait(timeout_s).state.outcome()
