"""What the methods of every service have: the connection that they use."""

from __future__ import annotations

from steward_client.connection.async_connection import AsyncConnection


class AsyncService:
    """The methods of one service on one connection. A client is a list of these."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
