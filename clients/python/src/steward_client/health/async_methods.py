"""The client's method for the daemon's health: SystemService."""

from __future__ import annotations

from steward_client.connection.async_service import AsyncService
from steward_client.health import calls
from steward_client.health.types import Health


class AsyncHealthMethods(AsyncService):
    """Asks for the daemon's health."""

    async def health(self, *, timeout_s: float | None = None) -> Health:
        """Returns the health of the daemon and of each of its components."""
        return await self._connection.call(calls.health(), timeout_s)
