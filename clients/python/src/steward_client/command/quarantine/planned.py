"""What changes many rows at once is first tried without changing any: how many there are is said before it is done."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from steward_client.command import document, screen
from steward_client.command.ending import Exit, Interrupted
from steward_client.command.operation import follow, show_operation
from steward_client.command.session import Session

if TYPE_CHECKING:
    from steward_client.operations.operation import Operation

R = TypeVar("R")


class Planned(Generic[R]):
    """One command of this kind. `begin` is given whether it is a dry run, `what` is for people: `the purge`."""

    def __init__(
        self,
        session: Session,
        what: str,
        begin: Callable[[bool], Operation[Any, R]],
        *,
        is_applied: bool,
        no_wait: bool,
    ) -> None:
        self._session = session
        self._what = what
        self._begin = begin
        self._is_applied = is_applied
        self._no_wait = no_wait

    def run(
        self,
        show: Callable[[R], None],
        *,
        changes: Callable[[R], int],
        code: Callable[[R], int] = lambda _outcome: Exit.DONE,
    ) -> int:
        """Plans it, and where it is to be applied and changes anything, does it. Returns the exit code.

        `show` prints an outcome, `changes` counts what one changes, `code` is the exit code of one.
        """
        plan = self._plan()
        is_json = self._session.is_json
        if not is_json:
            show(plan)
        if not self._is_applied or not changes(plan):
            if is_json:
                document.emit({"planned": plan, "done": None})
            else:
                self._say_how(is_empty=not changes(plan))
            return code(plan)
        operation = self._begin(False)
        if self._no_wait:
            return show_operation(self._session, operation.state)
        done = follow(operation, self._what, self._session.timeout_s).state.outcome()
        if is_json:
            document.emit({"planned": plan, "done": done})
        else:
            show(done)
        return code(done)

    def _plan(self) -> R:
        operation = self._begin(True)
        try:
            return follow(operation, self._what, self._session.timeout_s).state.outcome()
        except Interrupted:
            operation.cancel()
            raise Interrupted("nothing was changed") from None

    def _say_how(self, *, is_empty: bool) -> None:

        if is_empty:
            screen.line("there is nothing to do")
        else:
            screen.line("nothing was changed; the same command with --apply does it", style="bold")
