"""One attempt at an upload by the asyncio client. blocking_exchange.py does it for the plain client.

The two are written by hand, for gRPC takes the messages in another way: the plain call reads an iterator in a thread
of its own, the asyncio call is written to by a task beside the one that reads the answers.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import grpc
import grpc.aio

from steward_client.connection import status
from steward_client.connection.async_connection import AsyncConnection
from steward_client.transfer.overwritten_status import OverwrittenStatus
from steward_client.transfer.upload import Upload

T = TypeVar("T")


async def exchange(connection: AsyncConnection, upload: Upload[T], timeout_s: float | None) -> T:
    """Sends an upload once and returns its result. A task that is cancelled cancels the call.

    Raises: StewardError; OSError where the file cannot be read.
    """
    # A method that answers once is called in this way too: on the wire it is a stream of one.
    method = connection.exchange(upload.path, upload.request, upload.answer)
    answers: grpc.aio.StreamStreamCall[Any, Any] = method(
        timeout=timeout_s, compression=grpc.Compression.NoCompression
    )
    overwritten = OverwrittenStatus(answers)
    writing = asyncio.create_task(_write(upload, answers))
    result = None
    try:
        async for answer in answers:
            found = upload.received(answer)
            result = result if found is None else found
    except grpc.RpcError as error:
        if upload.read_error is not None:
            raise upload.read_error from None
        target = connection.settings.target
        raise status.from_rpc(await overwritten.find(error), target) from None
    finally:
        answers.cancel()
        writing.cancel()
        await asyncio.wait([writing])
    return upload.ended(result)


async def _write(upload: Upload[Any], answers: grpc.aio.StreamStreamCall[Any, Any]) -> None:
    # One thread reads the whole file. Spread over the threads of the default executor, whose malloc arenas give
    # each chunk back to the system, an upload costs three times the CPU (260 against 800 MB per CPU second).
    reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="steward-upload")
    loop, messages = asyncio.get_running_loop(), upload.messages()
    try:
        while (message := await loop.run_in_executor(reader, next, messages, None)) is not None:
            await answers.write(message)
        await answers.done_writing()
    except (grpc.RpcError, asyncio.InvalidStateError):
        pass  # a call that has ended takes no more; the reader of the answers raises the reason
    finally:
        reader.shutdown(wait=False)
