"""ValidateBatch beside what bounds it, and Health while four uploads run. Every core may be used, by all of them.

The engine alone, the bare sink and the daemon take the same bytes in turn. The client is one process,
the same for sink and daemon; it and the server share the machine, as they do on loopback.
"""

import json
import shutil
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

from benchmarks.cores import elapsed_s
from benchmarks.rpc.servers import daemon, running, sink

UPLOADS = 4
ASKING_S = 10.0


@dataclass(frozen=True, slots=True)
class EndToEnd:
    """Bytes per second of the clock, medians."""

    engine: float
    sink: float
    validate_batch: float

    @property
    def share(self) -> float:
        """What the call reaches of the slower of the two."""
        return self.validate_batch / min(self.engine, self.sink)


@dataclass(frozen=True, slots=True)
class Latency:
    """Of one call, in seconds."""

    median_s: float
    p99_s: float
    calls: int


def client(address: str, path: Path, how_often: str) -> list[str]:
    """Return the command of the client."""
    return [sys.executable, "-m", "benchmarks.rpc.uploading", address, str(path), how_often]


def upload_s(address: str, path: Path) -> float:
    """Upload once; return how long it took."""
    done = subprocess.run(
        client(address, path, "once"), stdout=subprocess.PIPE, text=True, check=True
    )
    return float(done.stdout)


def end_to_end(path: Path, scratch: Path, cores: tuple[int, ...], rounds: int) -> EndToEnd:
    """Measure in turn, so many times."""
    seconds: dict[str, list[float]] = {"engine": [], "sink": [], "daemon": []}
    with ExitStack() as stack:
        folder = own_folder(stack, scratch)
        sink_address = stack.enter_context(sink())
        daemon_address = stack.enter_context(daemon(folder))
        upload_s(daemon_address, path)
        for _ in range(rounds):
            seconds["engine"].append(elapsed_s(path, scratch, [(1, cores)]))
            seconds["sink"].append(upload_s(sink_address, path))
            seconds["daemon"].append(upload_s(daemon_address, path))
    size_bytes = path.stat().st_size
    return EndToEnd(*(size_bytes / median(it) for it in seconds.values()))


def health(path: Path, scratch: Path) -> dict[str, Latency]:
    """Ask for Health while four clients upload without a pause."""
    with ExitStack() as stack:
        address = stack.enter_context(daemon(own_folder(stack, scratch)))
        uploads = [
            stack.enter_context(
                running(
                    subprocess.Popen(
                        client(address, path, "forever"), stdout=subprocess.PIPE, text=True
                    )
                )
            )
            for _ in range(UPLOADS)
        ]
        for process in uploads:
            assert process.stdout is not None
            # The first upload of each is through: all four are at work.
            process.stdout.readline()
        asking = [sys.executable, "-m", "benchmarks.rpc.asking", address, str(ASKING_S)]
        done = subprocess.run(asking, stdout=subprocess.PIPE, text=True, check=True)
        if any(process.poll() is not None for process in uploads):
            raise RuntimeError("an upload ended before Health was measured")
    return {name: latency(seconds) for name, seconds in json.loads(done.stdout).items()}


def latency(seconds: list[float]) -> Latency:
    """Return what is said of so many calls."""
    return Latency(median(seconds), quantiles(seconds, n=100)[98], len(seconds))


def own_folder(stack: ExitStack, scratch: Path) -> Path:
    """Make the daemon's folder, and remove it at the end."""
    folder = scratch / "daemon"
    folder.mkdir()
    folder.chmod(0o755)
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    return folder
