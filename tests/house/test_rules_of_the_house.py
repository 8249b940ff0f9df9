"""Rules that a linter does not know: who reads the environment, how long a file may be, what may not be named."""

import ast
import re
import subprocess
from pathlib import Path

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


def test_no_file_is_longer_than_500_lines():
    lengths = {path: path.read_text().count("\n") for path in tracked("*.py", "*.rs")}
    assert len(lengths) > 1000
    assert {path: length for path, length in lengths.items() if length > 500} == {}


def test_each_file_opens_with_what_it_is():
    texts = {path: path.read_text() for path in tracked("*.py", "*.rs")}
    opening = ('"""', "//!", "#!", "//", "#")
    assert [
        path for path, text in texts.items() if text.strip() and not text.startswith(opening)
    ] == []


def test_no_function_in_python_is_longer_than_70_lines():
    lengths = {
        (path, node.name): (node.end_lineno or 0) - node.lineno + 1
        for path in tracked("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert len(lengths) > 5000
    assert {where: length for where, length in lengths.items() if length > 70} == {}


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
