"""The embedded server's cluster as a daemon's first start makes it, made once and copied for each daemon of tests.

initdb takes half a CPU second, and tests start more than a hundred daemons whose cluster is new. What the first start
does is tested in tests/integration/postgres/test_embedded.py, and by every daemon that a shell starts.
"""

from __future__ import annotations

import atexit
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from stewardd.postgres.accounts import choose_account
from stewardd.postgres.binaries import server_binaries
from stewardd.postgres.cluster import Cluster

_FOLDER = "postgres"


def lay_cluster(data_dir: Path) -> None:
    """Puts a cluster into a data folder that is not there yet."""
    data_dir.mkdir(mode=0o700, parents=True)
    copied = ["cp", "--archive", "--reflink=auto", str(_made()), str(data_dir / _FOLDER)]
    subprocess.run(copied, check=True)


@cache
def _made() -> Path:
    """Makes the cluster, once for each process of tests, and returns its folder."""
    folder = tempfile.TemporaryDirectory(prefix="steward-test-")
    atexit.register(folder.cleanup)
    Path(folder.name).chmod(0o711)
    data_dir = Path(folder.name) / "data"
    data_dir.mkdir(mode=0o700)
    account = choose_account(None)
    cluster = Cluster(data_dir / _FOLDER, account, is_kept=False)
    cluster.prepare()
    cluster.initialise(server_binaries(account, cluster.programs))
    return cluster.root
