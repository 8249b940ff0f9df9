"""The second repository: opened when it answers, and tried as the first one is before anything relies on it."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager

from stewardd.repository.backend.all import open_repository
from stewardd.repository.backend.store import Store
from stewardd.repository.claims import Claims

_CLAIM = "BackupCopy"


class SecondRepository:
    """Where copies are kept: `url` and `options` as configured, secrets in the clear.

    `key` tells this place from another one that is configured later.
    """

    def __init__(self, url: str, options: Mapping[str, str]) -> None:
        self.url = url
        self.options = options
        self._store: Store | None = None
        self._opening = asyncio.Lock()
        self.key = hashlib.sha256(url.encode()).hexdigest()[:16]

    async def store(self) -> Store:
        """The store, once it has passed its trial. Raises: ConfigurationError, RepositoryDown."""
        async with self._opening:
            if self._store is None:
                self._store = await open_repository(self.url, self.options)
            return self._store

    def exclusively(self, claims: Claims, backup_id: str) -> AbstractAsyncContextManager[None]:
        """Makes or removes one copy in one daemon at a time. Raises: RequestInProgress while another one does."""
        return claims.exclusively(_CLAIM, f"{backup_id}@{self.key}")
