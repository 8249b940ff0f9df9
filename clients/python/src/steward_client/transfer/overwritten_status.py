"""The daemon's status of an upload that it ended while a message was still being written (grpc.aio only).

Such a write fails, and grpc.aio then overwrites the status of the call with its own "Internal error from Core", so
that the daemon's reason would be lost. The call's done callbacks are called for each of the two statuses, in either
order: the daemon's is kept there. Where the connection broke, the daemon may have sent none: the wait has a bound.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import grpc
import grpc.aio

T = TypeVar("T")

_FAILED_WRITE = "Internal error from Core"
_LONGEST_WAIT_S = 1.0


class OverwrittenStatus:
    """The first status of a call other than that of the failed write."""

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
        details = _result_now(self._call.details())
        trailing = _result_now(self._call.trailing_metadata())
        # The daemon sends trailing metadata with its status, grpc.aio none with its own: that tells them apart even
        # where the daemon uses the same words.
        if self._known.is_set() or (details == _FAILED_WRITE and not trailing):
            return
        self._known.set()
        self._error = grpc.aio.AioRpcError(
            _result_now(self._call.code()),
            grpc.aio.Metadata(),
            trailing,
            details,
        )


def _result_now(coroutine: Coroutine[Any, Any, T]) -> T:
    """Returns the result of a coroutine that does not wait, as the coroutines of a call that is done do not."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    coroutine.close()
    raise RuntimeError("a call that is done makes its status wait")
