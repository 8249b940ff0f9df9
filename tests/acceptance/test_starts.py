"""Starts in places that were not made for it: each is served, or refused by name with exit code 3 and no traceback."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.acceptance.conftest import LANGUAGE, NO_DATABASE, rows
from tests.support.calls import upload, validate
from tests.support.command import run_program
from tests.support.daemon import Daemon

ROOT = os.geteuid() == 0


def refused_start(
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    wrapper: Sequence[str] = (),
    without: Sequence[str] = (),
) -> str:
    """Starts a daemon that must refuse to; returns what it said last, in which no traceback stands."""
    variables = {**os.environ, **NO_DATABASE, **(environment or {})}
    for name in without:
        variables.pop(name, None)
    if wrapper:
        done = subprocess.run(
            [*wrapper, sys.executable, "-m", "stewardd.main", *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env=variables,
            cwd="/",
        )
    else:
        done = run_program("stewardd", arguments, variables, Path("/"), timeout_s=60)
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def serves(daemon: Daemon) -> bool:
    return validate(daemon.address, upload(LANGUAGE + rows(5))).total_rows == 5


def test_what_strays_into_its_folders_does_not_keep_it_from_starting(folder):
    data = folder / "data"
    with Daemon(data, environment=NO_DATABASE):
        pass
    (data / "scratch" / "stray").write_text("x")
    (data / "scratch" / "link").symlink_to("/etc")
    leases = data / "repository" / "leases"
    (leases / ("a" * 210)).mkdir()
    (leases / "somebody" / "no incarnation").mkdir(parents=True)
    (leases / "somebody" / "no-incarnation").mkdir(parents=True)
    (data / "repository" / "batches" / ("b" * 210)).mkdir(parents=True)
    with Daemon(data, environment=NO_DATABASE) as daemon:
        assert serves(daemon)
        assert not list((data / "scratch").iterdir())
    assert Path("/etc/passwd").exists()


@pytest.mark.parametrize("place", ["data", "data/scratch", "data/repository"])
def test_a_file_where_a_folder_should_be_is_named(folder, place):
    (folder / place).parent.mkdir(exist_ok=True)
    (folder / place).write_text("x")
    assert place.rpartition("/")[2] in refused_start("--data-dir", str(folder / "data"))


def test_a_socket_that_a_living_daemon_listens_on_is_not_taken_from_it(folder):
    address = f"unix:{folder}/steward.sock"
    with Daemon(folder / "one", "--listen", address, environment=NO_DATABASE) as daemon:
        said = refused_start("--data-dir", str(folder / "two"), "--listen", address)
        assert "steward.sock" in said
        assert serves(daemon)
        daemon.kill()
        daemon.start()
        assert serves(daemon), "a killed daemon's socket is in nobody's way"


@pytest.mark.parametrize(
    "address",
    [
        "nothing",
        "127.0.0.1:99999",
        "127.0.0.1:-1",
        "127.0.0.1:x",
        ":1",
        "",
        "unix:",
        "unix:/etc/passwd/x",
    ],
)
def test_an_address_that_is_none_is_named(folder, address):
    assert repr(address) in refused_start("--data-dir", str(folder), "--listen", address)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SERVER__MAX_MESSAGE_BYTES", str(2**31)),
        ("SERVER__MAX_MESSAGE_BYTES", str(2**29)),
        ("REPOSITORY__LEASE_S", "inf"),
        ("SERVER__DRAIN_TIMEOUT_S", "nan"),
        ("DATA_DIR", ""),
        ("DATA_DIR", "~no-such-user/steward"),
        ("REPOSITORY__URL", "~no-such-user/steward"),
    ],
)
def test_a_value_that_cannot_be_is_named(variable, value):
    said = refused_start(environment={f"STEWARDD_{variable}": value})
    assert variable.lower().replace("__", ".") in said


def test_a_user_without_a_home_needs_no_home_when_told_where_to_work(folder):
    if not ROOT:
        pytest.skip("only root may become another user")
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("setpriv is not there")
    wrapper = ["env", "--unset=HOME", setpriv, "--reuid=54321", "--regid=54321", "--clear-groups"]
    readable = subprocess.run(
        [*wrapper, sys.executable, "-c", "import stewardd, fastcsv"],
        capture_output=True,
        check=False,
        cwd="/",
    )
    if readable.returncode:
        pytest.skip("another user cannot read this checkout")
    data = folder / "data"
    data.mkdir()
    os.chown(data, 54321, 54321)
    with Daemon(data, wrapper=wrapper, environment=NO_DATABASE) as daemon:
        assert serves(daemon)
    assert "data_dir" in refused_start(wrapper=wrapper)


def test_a_log_that_nobody_reads_any_more_costs_no_call(folder):
    """The reader of a pipe may die, and a log's disk may fill: no reason to fail a batch that is published."""
    reading, writing = os.pipe()
    address = f"unix:{folder}/steward.sock"
    process = subprocess.Popen(
        [sys.executable, "-m", "stewardd.main", "--data-dir", folder / "data", "--listen", address],
        stderr=writing,
        env={**os.environ, **NO_DATABASE, "STEWARDD_LOG__FORMAT": "json"},
    )
    os.close(writing)
    with os.fdopen(reading) as log:
        assert any('"serving"' in line for line in log)
    try:
        for _ in range(3):
            assert validate(address, upload(LANGUAGE + rows(5))).total_rows == 5
    finally:
        process.terminate()
        assert process.wait(60) == 0
