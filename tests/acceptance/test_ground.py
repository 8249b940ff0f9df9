"""What a daemon's folders and addresses rest on: each lack is named at start, once, before anything is made."""

import contextlib
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.conftest import LANGUAGE, NO_DATABASE, rows
from tests.acceptance.test_starts import refused_start, serves
from tests.support.calls import upload, validate
from tests.support.daemon import Daemon

ROOT = os.geteuid() == 0
# What a file system without a promise does, for one call of the system's.
SHIM = """
import errno, fcntl, os
def refuse(*arguments, **named):
    raise OSError(getattr(errno, {error!r}), os.strerror(getattr(errno, {error!r})))
{body}
"""
BODIES = {
    "link": "os.link = refuse",
    "flock": "fcntl.flock = refuse",
    "two locks": "fcntl.flock = lambda *arguments: None",
    "folder sync": (
        "import stat\nsync = os.fsync\n"
        "os.fsync = lambda d: refuse() if stat.S_ISDIR(os.fstat(d).st_mode) else sync(d)"
    ),
    "modes": "os.fchmod = refuse",
    "rename": "os.rename = refuse",
    "room": "write = os.write\nos.write = lambda d, b: refuse() if len(b) > 4096 else write(d, b)",
}


@contextlib.contextmanager
def mounted(point: Path, *options: str):
    if not ROOT:
        pytest.skip("only root may mount")
    point.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "steward-test", str(point)]
    subprocess.run(command, check=True)
    try:
        yield point
    finally:
        subprocess.run(["umount", "-l", point], check=True)


def shim(folder: Path, call: str, error: str) -> dict[str, str]:
    place = folder / "shim"
    place.mkdir()
    (place / "sitecustomize.py").write_text(SHIM.format(error=error, body=BODIES[call]))
    return {"PYTHONPATH": str(place)}


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        ("link", "EPERM", "hard links"),
        ("link", "EOPNOTSUPP", "hard links"),
        ("link", "ENOSYS", "hard links"),
        ("flock", "ENOLCK", "locks"),
        ("flock", "EOPNOTSUPP", "locks"),
        ("two locks", "EPERM", "one lock to two"),
        ("folder sync", "EINVAL", "power cut"),
        ("modes", "EPERM", "modes"),
        ("room", "ENOSPC", "no room left"),
        ("room", "EDQUOT", "quota"),
    ],
)
def test_a_promise_that_the_file_system_does_not_keep_is_named(folder, call, error, said):
    data, repository = folder / "data", folder / "elsewhere" / "repository"
    environment = {**shim(folder, call, error), "STEWARDD_REPOSITORY__URL": str(repository)}
    told = refused_start("--data-dir", str(data), environment=environment)
    assert said in told
    assert "[CONFIGURATION]" in told
    assert "try again later" not in told
    assert str(repository if call == "link" else data) in told
    assert not repository.exists()
    assert not data.exists() or not list(data.iterdir())


def test_a_trial_leaves_nothing_behind_and_two_daemons_may_try_one_repository(folder):
    environment = {**NO_DATABASE, "STEWARDD_REPOSITORY__URL": str(folder / "shared")}
    one = Daemon(folder / "one", environment=environment)
    two = Daemon(folder / "two", environment=environment)
    one.start(wait=False)
    with two:
        one.wait_serving()
        assert serves(one)
        assert serves(two)
        one.stop()
    left = [path for path in folder.rglob("*") if path.name.startswith("~trial-")]
    assert left == []


def test_a_folder_that_can_only_be_read_is_named(folder):
    with mounted(folder / "disk", "ro") as disk:
        assert "only be read" in refused_start("--data-dir", str(disk / "data"))
        environment = {"STEWARDD_REPOSITORY__URL": str(disk / "repository")}
        said = refused_start("--data-dir", str(folder / "data"), environment=environment)
        assert f"{disk}/repository" in said


def test_a_disk_that_is_full_is_named_with_what_to_do(folder):
    with mounted(folder / "disk", "size=1m") as disk:
        with contextlib.suppress(OSError), (disk / "ballast").open("wb") as ballast:
            while True:
                ballast.write(bytes(4096))
        said = refused_start("--data-dir", str(disk / "data"))
        assert "no room left" in said
        assert "free room" in said


def test_a_disk_too_small_for_a_new_server_is_named_before_one_is_made(folder):
    with mounted(folder / "disk", "size=32m", "mode=711") as disk:
        said = refused_start("--data-dir", str(disk / "data"), without=list(NO_DATABASE))
        assert "MiB" in said
        assert not (disk / "data" / "postgres" / "data").exists()


def test_a_folder_of_somebody_else_is_named_with_its_owner(folder):
    if not ROOT:
        pytest.skip("only root may become another user")
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("setpriv is not there")
    wrapper = [setpriv, "--reuid=54321", "--regid=54321", "--clear-groups"]
    command = [*wrapper, sys.executable, "-c", "import stewardd, fastcsv"]
    if subprocess.run(command, capture_output=True, check=False, cwd="/").returncode:
        pytest.skip("another user cannot read this checkout")
    (folder / "data").mkdir(mode=0o755)
    for place in (folder / "data", folder / "new" / "data"):
        said = refused_start("--data-dir", str(place), wrapper=wrapper)
        assert "54321" in said
        assert "belongs to 'root'" in said


@pytest.mark.parametrize("umask", [0o777, 0o277, 0o077, 0])
def test_an_unusual_umask_neither_shuts_the_daemon_out_nor_lets_others_in(folder, umask):
    wrapper = ["sh", "-c", f'umask {umask:03o}; exec "$@"', "sh"]
    with Daemon(folder / "data", environment=NO_DATABASE, wrapper=wrapper) as daemon:
        assert serves(daemon)
    assert stat.S_IMODE((folder / "data").stat().st_mode) == 0o700
    for path in (folder / "data").rglob("*"):
        mode = path.stat().st_mode
        assert mode & 0o700 >= (0o700 if path.is_dir() else 0o400), path
        assert "scratch" in path.parts or mode & 0o077 == 0, path


@pytest.mark.parametrize("name", ["Weber, Klein/50% #1", "a=b/ blank /@first", "x" * 120])
def test_a_name_that_postgresql_could_misread_is_no_obstacle(folder, name):
    with Daemon(folder / name / "data") as daemon:
        assert serves(daemon)


@pytest.mark.parametrize("name", ["it's", 'a"b', "a$b", "a`b", "back\\slash", "line\nend", "\x01"])
def test_a_name_that_postgresql_cannot_read_is_refused_before_anything_is_made(folder, name):
    (folder / name).mkdir()
    said = refused_start("--data-dir", str(folder / name / "data"), without=list(NO_DATABASE))
    assert "cannot hold the embedded server" in said
    assert not list((folder / name).iterdir())


@pytest.mark.parametrize("name", ["data", "a,b"])
def test_nothing_but_the_data_folder_need_be_writable(folder, name):
    """A namespace of its own, in which all is read-only but one volume, and the places for temporary files too."""
    if not ROOT:
        pytest.skip("only root may mount")
    checkout = Path(sys.prefix).parent
    script = f"""
        mount --make-rprivate / && mount -t tmpfs -o mode=755 tmpfs /srv && mkdir /srv/keep || exit 99
        mount --bind {checkout} /srv/keep && mount -t tmpfs -o mode=1777 tmpfs /tmp || exit 99
        mkdir -p {checkout} 2>/dev/null; mount --bind /srv/keep {checkout} && umount /srv/keep || exit 99
        mount -t tmpfs -o ro,mode=1777 tmpfs /var/tmp && mount -o remount,bind,ro /tmp || exit 99
        mount -o remount,bind,ro {checkout} && mount -o remount,bind,ro / && cd / || exit 99
        unset TMPDIR TEMP TMP
        exec "$@" --data-dir "/srv/{name}"
    """
    probe = ["unshare", "-m", "true"]
    if subprocess.run(probe, check=False, capture_output=True).returncode:
        pytest.skip("no namespace may be made here")
    with Daemon(
        folder / "unused", wrapper=["unshare", "-m", "bash", "-c", script, "bash"]
    ) as daemon:
        assert validate(daemon.address, upload(LANGUAGE + rows(5))).total_rows == 5
        assert not re.search(r'"level": "(error|critical)"', daemon.text)


def test_a_socket_goes_where_the_servers_account_can_reach_it(folder):
    """The place for temporary files may be the daemon's own, and closed to the account that is lent."""
    (folder / "private").mkdir(mode=0o700)
    environment = {"TMPDIR": str(folder / "private")}
    with Daemon(folder / "a, b" / "data", environment=environment) as daemon:
        assert serves(daemon)
        noted = Path((daemon.data_dir / "postgres" / "socket-folder").read_text())
        assert stat.S_IMODE(noted.stat().st_mode) == 0o700
    assert not noted.exists()


def test_a_data_folder_in_which_something_is_somebody_elses_names_it(folder):
    (folder / "data" / "daemon-id").mkdir(parents=True)
    said = refused_start("--data-dir", str(folder / "data"))
    assert "daemon-id" in said
    assert "try again later" not in said
