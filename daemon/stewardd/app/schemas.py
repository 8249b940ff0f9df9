"""The schemas: those that come with steward, and those of the configured folders."""

from __future__ import annotations

import asyncio

from stewardd.app.assembly import Assembly
from stewardd.schemas.registry import Registry


async def load_schemas(assembly: Assembly) -> Registry:
    """Reads and compiles every schema. Raises: ConfigurationError."""
    return await asyncio.to_thread(Registry.load, assembly.settings.validation.schema_dirs)
