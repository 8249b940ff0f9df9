"""What the making of a backup holds in memory: as much for a long dump as for a short one."""

from __future__ import annotations

import subprocess
import sys

import pytest

SEGMENT_MIB = 8
PACKING = """
import asyncio, random, sys, tempfile
from pathlib import Path
from stewardd.backup.keys.encryption import AgeIdentity, Encryptor
from stewardd.backup.making.packing import Packer
from stewardd.backup.making.segments import Sealing
from stewardd.backup.making.storing import SegmentStorage
from stewardd.backup.manifest.backup import Compression, CompressionMethod
from stewardd.memory import GIVE_BACK_BUFFERS, tune_allocator
from stewardd.repository.backend.folder.store import FolderStore

class Finished:
    def __init__(self, names):
        self.names = names

    def take(self, *, wait):
        names, self.names = self.names, None
        return names

    def is_finished(self, name):
        return True

def peak_kib():
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])

tune_allocator(GIVE_BACK_BUFFERS)
segment_bytes, segment_count = int(sys.argv[1]) << 20, int(sys.argv[2])
with tempfile.TemporaryDirectory() as place:
    folder, sealing = Path(place, "staging"), Sealing(
        Compression(CompressionMethod.ZSTD, 1), Encryptor([AgeIdentity.generate().recipient]), 2
    )
    folder.mkdir()
    with (folder / "1.dat").open("wb") as file:
        for number in range(segment_count * 8):
            file.write(random.Random(number).randbytes(segment_bytes // 8))
    before_kib = peak_kib()
    packer = Packer(folder, Finished(["1.dat"]), segment_bytes=segment_bytes, sealing=sealing)
    storage = SegmentStorage(FolderStore(Path(place, "repository")), "backups/1", "main", 0)
    asyncio.run(storage.store_all(packer.next_segment, lambda: None))
    print(len(storage.segments), peak_kib() - before_kib)
"""


def _packed(segment_count: int) -> tuple[int, float]:
    """How many segments became of so many segments' worth of random bytes, and the growth of the peak in MiB."""
    done = subprocess.run(
        [sys.executable, "-c", PACKING, str(SEGMENT_MIB), str(segment_count)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    count, grown_kib = done.stdout.split()
    return int(count), int(grown_kib) / 1024


@pytest.mark.skipif(sys.platform != "linux", reason="the system tells the peak on Linux")
def test_a_long_dump_takes_no_more_memory_than_a_short_one() -> None:
    few_segments, short_mib = _packed(4)
    many_segments, long_mib = _packed(16)
    assert many_segments >= 3 * few_segments
    # How many segments are there at once depends on who is quicker: two, and one more while it is encrypted.
    assert long_mib < short_mib + 3 * SEGMENT_MIB
