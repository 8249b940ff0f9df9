"""One attempt at an upload by the plain client. asyncio_exchange.py does it for the asyncio client, and says why."""

from __future__ import annotations

from typing import TypeVar

import grpc

from steward_client.connection import status
from steward_client.connection.connection import Connection
from steward_client.transfer.upload import Upload

T = TypeVar("T")


def exchange(connection: Connection, upload: Upload[T], timeout_s: float | None) -> T:
    """Sends an upload once and returns its result.

    Raises: StewardError; OSError where the file cannot be read.
    """
    # A method that answers once is called in this way too: on the wire it is a stream of one.
    method = connection.exchange(upload.path, upload.request, upload.answer)
    # gRPC pulls the messages in a thread of its own, and stops as soon as the call has ended: after a refusal the file
    # is not read any further.
    answers = method(
        upload.messages(), timeout=timeout_s, compression=grpc.Compression.NoCompression
    )
    result = None
    try:
        for answer in answers:
            found = upload.received(answer)
            result = result if found is None else found
    except grpc.RpcError as error:
        if upload.read_error is not None:
            raise upload.read_error from None
        raise status.from_rpc(error, connection.settings.target) from None
    finally:
        answers.cancel()
    return upload.ended(result)
