"""Rules that a linter does not know: who reads the environment, how long a file may be, what may not be named."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GENERATED = re.compile(r"_pb2(_grpc)?\.pyi?$")


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--", *patterns], cwd=ROOT, check=True, capture_output=True, text=True
    )
    paths = [ROOT / line for line in listed.stdout.splitlines()]
    return [path for path in paths if path.exists() and not GENERATED.search(path.name)]


def test_only_the_settings_read_the_environment():
    readers = {
        str(path.relative_to(ROOT))
        for path in tracked("daemon/**.py")
        if re.search(r"os\.environ|os\.getenv|environb", path.read_text())
    }
    # A child process is given an environment made of the daemon's own, and grpc is told by one; neither is a setting.
    # Credentials of a cloud stand where all tools look for them.
    allowed = {
        "daemon/stewardd/config/loading.py",
        "daemon/stewardd/repository/backend/bucket/aws_files.py",
        "daemon/stewardd/postgres/variables.py",
        "daemon/stewardd/main.py",
    }
    assert readers <= allowed


@pytest.mark.parametrize(
    "path", tracked("*.py", "*.rs"), ids=lambda path: str(path.relative_to(ROOT))
)
def test_no_file_is_longer_than_500_lines_and_each_opens_with_what_it_is(path):
    text = path.read_text()
    assert text.count("\n") <= 500
    if text.strip():
        assert text.startswith(('"""', "//!", "#!", "//", "#")), "the file does not open with a doc"


def test_no_lock_file_that_spells_out_registry_hosts_is_tracked():
    assert tracked("uv.lock", "**/uv.lock", "package-lock.json", "**/package-lock.json") == []


def test_except_exception_stands_at_the_edges_only():
    edges = {
        "clients/python/src/steward_client/command/ending.py",
        "daemon/stewardd/backup/schedules/runner.py",  # a background task
        "daemon/stewardd/backup/telling/teller.py",  # a background loop
        "daemon/stewardd/health/monitor.py",
        "daemon/stewardd/main.py",
        "daemon/stewardd/postgres/pool/tasks.py",  # the pool's watcher and timer: background loops
        "daemon/stewardd/quarantine/removing/erasure.py",  # one batch must not keep it from the others
        "daemon/stewardd/repository/lease.py",  # the heart: a background loop
        "daemon/stewardd/rpc/interceptor.py",
        "daemon/stewardd/scheduler/scheduler.py",  # a background loop
    }
    wide = {
        str(path.relative_to(ROOT))
        for path in tracked("daemon/**.py", "clients/**.py")
        if re.search(r"except Exception|except:", path.read_text())
    }
    assert wide <= edges, f"not an edge: {wide - edges}"
