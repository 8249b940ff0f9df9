"""The peak memory of worker processes, by the system's own account."""

import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

_LOOK_S = 0.05


def interpreter_peak_bytes() -> int:
    """Return the peak memory of an interpreter that does nothing."""
    script = "import re; print(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return int(done.stdout) * 1024


class PeakMemory:
    """Reads the peak of every child of this process whose command line has a module.

    Only children: to search all processes of the machine twenty times a second takes a fifteenth of a core away from
    what is measured.
    """

    def __init__(self, module: str) -> None:
        """Begin to watch."""
        self.peak_bytes = 0
        self._module = module.encode()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        if sys.platform == "linux":
            self._thread.start()

    def stop(self) -> None:
        """End the watching."""
        self._stopping.set()

    def _watch(self) -> None:
        while not self._stopping.wait(_LOOK_S):
            for pid in _children():
                process = Path(f"/proc/{pid}")
                try:
                    if self._module in (process / "cmdline").read_bytes():
                        self.peak_bytes = max(self.peak_bytes, peak_of(process))
                except OSError:
                    continue


def _children() -> list[str]:
    """Return the processes that any thread of this one has started."""
    found: list[str] = []
    for thread in Path("/proc/self/task").iterdir():
        with suppress(OSError):  # the thread has ended
            found += (thread / "children").read_text().split()
    return found


def peak_of(process: Path) -> int:
    """Return the peak of a process's resident memory, by its folder in /proc."""
    for line in (process / "status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0
