"""Where the benchmarks keep things. Nothing that is made here is ever committed but RESULTS.md."""

import os
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
DATA = HERE / "data"
PEERS = HERE / "peers"
BUILD = ROOT / "build" / "benchmarks"
SCHEMA = ROOT / "schemas" / "csv" / "language_session" / "1.1.json"

_MEMORY = Path("/dev/shm")


def scratch() -> Path:
    """Return a folder for output: in memory if there is such a file system, so that no disk is measured."""
    in_memory = _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK)
    folder = _MEMORY / f"steward-bench-{os.getpid()}" if in_memory else BUILD / "scratch"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
