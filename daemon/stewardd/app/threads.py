"""The threads for blocking work, in pools of their own, so that one kind of work never waits for another."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from stewardd.app.assembly import Assembly
from stewardd.quarantine.files.worker_threads import WorkerThreads
from stewardd.validation.engine_threads import EngineThreads


@dataclass(frozen=True, slots=True)
class ThreadPools:
    """The pools: `engine` validates uploads, `rows` finds and corrects rows, `bulk` works on many of them at once."""

    engine: EngineThreads
    rows: WorkerThreads
    bulk: WorkerThreads


def start_threads(assembly: Assembly) -> ThreadPools:
    """Makes the pools. They are older than the operations, and so end after those that work on them."""
    server, quarantine = assembly.settings.server, assembly.settings.quarantine
    engine = EngineThreads(server.engine_threads, server.engine_niceness)
    # Threads of its own: a row is found while uploads keep all of the engine's busy.
    rows = ThreadPoolExecutor(quarantine.threads, "rows")
    # And a row is found while sheets of a hundred thousand keep all of those busy.
    bulk = ThreadPoolExecutor(quarantine.bulk_threads, "bulk")
    for pool in (engine, rows, bulk):
        assembly.running.callback(pool.shutdown, wait=False)
    return ThreadPools(engine, WorkerThreads(rows), WorkerThreads(bulk))
