"""An upload with its retries."""

from __future__ import annotations

from typing import TypeVar

from steward_client.connection import asyncio_io
from steward_client.connection.async_connection import AsyncConnection
from steward_client.errors import StewardError
from steward_client.transfer.asyncio_exchange import exchange
from steward_client.transfer.upload import Upload

T = TypeVar("T")


async def send(connection: AsyncConnection, upload: Upload[T], timeout_s: float | None) -> T:
    """Sends an upload until the daemon has answered, and returns the result. The time is for all attempts together.

    Raises: StewardError; OSError where the file cannot be read.
    """
    deadline = connection.settings.transfer_deadline(timeout_s)
    attempts = connection.settings.attempts(deadline, repeatable=upload.is_repeatable)
    while True:
        try:
            return await exchange(connection, upload, deadline.remaining_s())
        except StewardError as error:
            await asyncio_io.sleep(attempts.failed(error))
