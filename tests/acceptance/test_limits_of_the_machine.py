"""A full disk, another user, a log that tells nothing: what the machine does to a daemon."""

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import grpc
import pytest

from tests.acceptance.conftest import LANGUAGE, refusal_of, refused, rows
from tests.support.calls import Request, batches, crc32c, opening, upload, validate
from tests.support.daemon import Daemon
from tests.support.quarantine import RESOLVED, quarantine

ROOT = os.geteuid() == 0


@pytest.fixture
def small_disk(folder):
    """A file system of 24 MB."""
    if not ROOT:
        pytest.skip("only root may mount")
    point = folder / "disk"
    point.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m,mode=711", "steward-test", point], check=True
    )
    yield point
    subprocess.run(["umount", "-l", point], check=True)


def test_a_full_disk_refuses_the_batch_and_harms_nothing(folder, small_disk):
    environment = {
        "STEWARDD_REPOSITORY__URL": str(small_disk / "repository"),
        "STEWARDD_POSTGRES__DATABASES__MAIN__URL": "postgresql://nobody@127.0.0.1:1/nothing",
    }
    body = LANGUAGE + rows(60_000, bad_every=1)
    with Daemon(folder / "data", environment=environment) as daemon:
        said = refusal_of(daemon.address, upload(body))
        assert (said.code, said.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "STORAGE_FULL")
        assert said.hint
        assert batches(daemon.address) == []
        assert validate(daemon.address, upload(LANGUAGE + rows(100))).total_rows == 100
        assert not list((daemon.data_dir / "scratch").iterdir())


def test_a_full_scratch_disk_refuses_the_batch_and_harms_nothing(folder, small_disk):
    environment = {
        "STEWARDD_REPOSITORY__URL": str(folder / "repository"),
        "STEWARDD_POSTGRES__DATABASES__MAIN__URL": "postgresql://nobody@127.0.0.1:1/nothing",
    }
    body = LANGUAGE + rows(60_000, bad_every=1)
    with Daemon(small_disk / "data", environment=environment) as daemon:
        assert refusal_of(daemon.address, upload(body)).reason == "STORAGE_FULL"
        assert validate(daemon.address, upload(LANGUAGE + rows(100))).total_rows == 100
        assert not list((daemon.data_dir / "scratch").iterdir())


def test_a_full_scratch_disk_refuses_corrections_by_name_and_loses_no_row(folder, small_disk):
    environment = {
        "STEWARDD_REPOSITORY__URL": str(folder / "repository"),
        "STEWARDD_POSTGRES__DATABASES__MAIN__URL": "postgresql://nobody@127.0.0.1:1/nothing",
    }
    with (
        Daemon(small_disk / "data", environment=environment) as daemon,
        quarantine(daemon.address) as service,
    ):
        name = validate(daemon.address, upload(LANGUAGE + rows(2000, bad_every=1))).name
        sheet = service.sheet(name)
        with contextlib.suppress(OSError), (small_disk / "ballast").open("wb") as ballast:
            while True:
                ballast.write(bytes(1 << 16))
        with refused() as said:
            service.resubmit(sheet)
        with refused() as of_one:
            service.correct(name, 7, rating="0.5")
        assert [each.reason for each in (*said, *of_one)] == ["STORAGE_FULL"] * 2
        (small_disk / "ballast").unlink()
        assert service.batch(name).open_rows == 2000
        assert service.correct(name, 7, rating="0.5").state == RESOLVED


def test_the_daemon_runs_as_an_ordinary_user(folder):
    if not ROOT:
        pytest.skip("it is run so by every other test")
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("setpriv is not there")
    home = folder / "home"
    home.mkdir()
    shutil.chown(home, 65534, 65534)
    wrapper = [setpriv, "--reuid=65534", "--regid=65534", "--clear-groups"]
    readable = subprocess.run(
        [*wrapper, sys.executable, "-c", "import stewardd, fastcsv"],
        capture_output=True,
        check=False,
        cwd="/",
    )
    if readable.returncode:
        pytest.skip("another user cannot read this checkout")
    with Daemon(home / "data", wrapper=wrapper, environment={"HOME": str(home)}) as daemon:
        assert validate(daemon.address, upload(LANGUAGE + rows(5))).total_rows == 5
        owners = {path.stat().st_uid for path in daemon.data_dir.rglob("*")}
        assert owners == {65534}


def test_what_the_daemon_keeps_is_for_its_own_user_alone(daemon):
    validate(daemon.address, upload(LANGUAGE + rows(5, bad_every=1)))
    loose = [
        path for path in (daemon.data_dir / "repository").rglob("*") if path.stat().st_mode & 0o077
    ]
    assert loose == []
    assert (daemon.data_dir / "pg_service.conf").stat().st_mode & 0o077 == 0


def test_no_cell_and_no_secret_stands_in_the_log(folder):
    marks = ["mark1@example", "mark2 secret", "mark3", "hunter2"]
    body = LANGUAGE + b"S1,mark1@example,bo@example.org,2025-03-01,mark2 secret\n" + b'"mark3,a,b\n'
    environment = {
        "STEWARDD_LOG__LEVEL": "debug",
        "STEWARDD_POSTGRES__DATABASES__MAIN__URL": "postgresql://ana:hunter2@127.0.0.1:1/nothing",
    }
    with Daemon(folder / "data", environment=environment) as daemon:
        assert validate(daemon.address, upload(body)).quarantined_rows == 2
        said = refusal_of(daemon.address, upload(b"mark3,x\nmark1@example,y\n"))
        assert "mark1" not in said.message + said.hint
        list_of_processes = subprocess.run(
            ["ps", "-wweo", "args"], capture_output=True, text=True, check=True
        )
        assert "hunter2" not in list_of_processes.stdout
        refusal_of(
            daemon.address,
            [
                opening(),
                Request(chunk=Request.Chunk(data=body)),
                Request(commit=Request.Commit(crc32c=crc32c(b""))),
            ],
        )
    for mark in marks:
        assert mark not in daemon.text


def test_the_settings_file_is_named_when_it_is_wrong(folder):
    file = folder / "steward.toml"
    file.write_text("[server]\nlisten = []\nport = 1\n")
    done = subprocess.run(
        [Path(sys.executable).parent / "stewardd", "--config", file],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert "server.port" in done.stderr
    assert "server.listen" in done.stderr
    assert "Traceback" not in done.stderr
