"""What of the data folder is not worth keeping: the folder of batches in the making, and scratch servers."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from stewardd.app.assembly import Assembly
from stewardd.errors import ConfigurationError
from stewardd.postgres.scratch import ScratchOptions, ScratchServers
from stewardd.telemetry import logger

log = logger("app")


async def clear_scratch(assembly: Assembly) -> None:
    """Makes the folder, or empties it: the data folder is ours alone, so all that stands there is a dead daemon's.

    Raises: ConfigurationError.
    """
    left = await asyncio.to_thread(_clear, assembly.scratch)
    if left:
        log.warning("removed batches in the making", batches=left)


async def sweep_scratch_servers(assembly: Assembly) -> ScratchServers:
    """Removes the scratch servers that a dead daemon left, and returns what starts new ones."""
    settings = assembly.settings.postgres
    options = ScratchOptions(settings.embedded_user or None, tuple(settings.server_dirs))
    servers = ScratchServers(assembly.settings.data_dir, options)
    await servers.sweep()
    assembly.running.push_async_callback(servers.close)
    return servers


def _clear(scratch: Path) -> list[str]:
    try:
        scratch.mkdir(mode=0o700, exist_ok=True)
        left = sorted(scratch.iterdir())
        for each in left:
            if each.is_dir() and not each.is_symlink():
                shutil.rmtree(each)
            else:
                each.unlink()
    except OSError as error:
        raise ConfigurationError(
            f"the scratch folder cannot be emptied: {error}",
            hint="see who owns what stands in the data folder; all of scratch may be removed",
        ) from error
    return [each.name for each in left]
