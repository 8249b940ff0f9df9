"""A scratch server for all tests of a module, on an event loop of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stewardd.postgres.scratch import ScratchServer, ScratchServers

from tests.support.versions import NEWEST


@contextmanager
def scratch_server(folder: Path) -> Iterator[tuple[ScratchServer, asyncio.Runner]]:
    """Runs one below a folder, and yields it with what runs its coroutines."""
    with asyncio.Runner() as runner:
        running = ScratchServers(folder).start(NEWEST)
        server = runner.run(running.__aenter__())
        try:
            yield server, runner
        finally:
            runner.run(running.__aexit__(None, None, None))
