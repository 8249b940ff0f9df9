"""The daemon's status of an upload that it ended while a message was still being written (grpc.aio only).

Such a write fails, and grpc.aio then overwrites the status of the call with its own "Internal error from Core": a
refusal would lose its reason, whichever of the two comes first. Each status passes by the call's done callbacks, so
the daemon's is picked up there. Where the connection broke there may be none to pick up, however long one waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import grpc
import grpc.aio

T = TypeVar("T")

_OF_THE_WRITE = "Internal error from Core"
_LONGEST_WAIT_S = 1.0


class OverwrittenStatus:
    """The first status of a call that is not that of a failed write."""

    def __init__(self, call: grpc.aio.StreamStreamCall[Any, Any]) -> None:
        self._call = call
        self._error: grpc.aio.AioRpcError | None = None
        self._known = asyncio.Event()
        call.add_done_callback(self._note)

    async def find(self, error: grpc.RpcError) -> grpc.RpcError:
        """Returns the error with the daemon's status; `error` itself where the daemon never sent any."""
        try:
            await asyncio.wait_for(self._known.wait(), _LONGEST_WAIT_S)
        except TimeoutError:
            return error
        return self._error or error

    def _note(self, _call: object) -> None:
        details, trailing = (
            _result_now(self._call.details()),
            _result_now(self._call.trailing_metadata()),
        )
        # The same words with details beside them are the daemon's: grpc.aio adds nothing to its own.
        if self._known.is_set() or (details == _OF_THE_WRITE and not trailing):
            return
        self._known.set()
        self._error = grpc.aio.AioRpcError(
            _result_now(self._call.code()),
            grpc.aio.Metadata(),
            trailing,
            details,
        )


def _result_now(coroutine: Coroutine[Any, Any, T]) -> T:
    """Returns what a coroutine returns that does not wait: of a call that is done, none of the above does."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    coroutine.close()
    raise RuntimeError("a call that is done makes its status wait")
