"""Where a daemon listens, who may use it there, and what the end of its terminal does to it."""

import contextlib
import grp
import os
import signal
import socket
import stat
import subprocess
import sys

import pytest
from stewardd.postgres.postmaster import live_postmaster

from tests.acceptance.conftest import NO_DATABASE
from tests.acceptance.test_starts import refused_start, serves
from tests.support.calls import channel
from tests.support.daemon import Daemon

UNPROTECTED = "listening without authentication"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def answers(host: str, port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((host, port), 5):
        return True
    return False


@pytest.mark.parametrize("wildcard", ["0.0.0.0", "[::]"])
def test_a_wildcard_says_that_it_opens_both_families_and_warns(folder, wildcard):
    if not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    port = free_port()
    address = f"{wildcard}:{port}"
    with Daemon(folder / "data", "--listen", address, environment=NO_DATABASE) as daemon:
        assert set(daemon.addresses) == {f"0.0.0.0:{port}", f"[::]:{port}"}
        assert daemon.address == address
        (warning,) = daemon.events(UNPROTECTED)
        assert warning["address"] == address
        assert warning["level"] == "warning"
        assert answers("127.0.0.1", port)
        assert answers("::1", port)


@pytest.mark.parametrize(
    "addresses",
    [
        ["0.0.0.0:{port}", "[::]:{port}"],
        ["[::]:{port}", "0.0.0.0:{port}"],
        ["127.0.0.1:{port}", "0.0.0.0:{port}"],
        ["127.0.0.1:{port}", "127.0.0.1:{port}"],
    ],
)
def test_addresses_that_are_one_are_opened_once(folder, addresses):
    port = free_port()
    listen = [part for each in addresses for part in ("--listen", each.format(port=port))]
    with Daemon(folder / "data", *listen, environment=NO_DATABASE):
        assert answers("127.0.0.1", port)


def test_an_address_of_this_machine_alone_warns_of_nothing(folder):
    listen = ["--listen", "localhost:0", "--listen", f"unix:{folder}/s", "--listen", "127.0.0.1:0"]
    with Daemon(folder / "data", *listen, environment=NO_DATABASE) as daemon:
        assert daemon.events(UNPROTECTED) == []


@pytest.mark.parametrize(("mode", "expected"), [("", 0o600), ("0660", 0o660), ("666", 0o666)])
def test_a_sockets_mode_is_a_setting_and_one_for_everybody_warns(folder, mode, expected):
    environment = {**NO_DATABASE, **({"STEWARDD_SERVER__SOCKET_MODE": mode} if mode else {})}
    path = folder / "steward.sock"
    listen = ["--listen", f"unix:{path}"]
    with Daemon(folder / "data", *listen, environment=environment) as daemon:
        assert stat.S_IMODE(path.stat().st_mode) == expected
        assert len(daemon.events(UNPROTECTED)) == (1 if expected & 0o007 else 0)
        assert serves(daemon)


def test_a_sockets_group_is_a_setting(folder):
    if os.geteuid() != 0:
        pytest.skip("only root may give a socket to any group")
    group = grp.getgrgid(1)
    path = folder / "made" / "steward.sock"
    environment = {
        **NO_DATABASE,
        "STEWARDD_SERVER__SOCKET_GROUP": group.gr_name,
        "STEWARDD_SERVER__SOCKET_MODE": "0660",
    }
    with Daemon(folder / "data", "--listen", f"unix:{path}", environment=environment) as daemon:
        assert path.stat().st_gid == 1
        assert path.parent.stat().st_gid == 1
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o710
        assert serves(daemon)


def test_a_group_that_is_not_there_is_named(folder):
    environment = {"STEWARDD_SERVER__SOCKET_GROUP": "no-such-group"}
    said = refused_start(
        *("--data-dir", str(folder / "data"), "--listen", f"unix:{folder}/s"),
        environment=environment,
    )
    assert "server.socket_group" in said
    assert "no-such-group" in said


@pytest.mark.parametrize("mode", ["9", "0o999", "rw", "0060", "0000", "01777"])
def test_a_mode_that_is_none_is_named(folder, mode):
    environment = {"STEWARDD_SERVER__SOCKET_MODE": mode}
    said = refused_start("--data-dir", str(folder), environment=environment)
    assert "server.socket_mode (from STEWARDD_SERVER__SOCKET_MODE)" in said


def test_the_end_of_its_terminal_ends_a_daemon_and_its_server_in_good_order(folder):
    with Daemon(folder / "data") as daemon:
        server = daemon.data_dir / "postgres" / "data"
        assert live_postmaster(server) is not None
        daemon.signal(signal.SIGHUP)
        daemon.signal(signal.SIGHUP)
        assert daemon.wait() == 0
        assert daemon.events("stopped")
        assert live_postmaster(server) is None


def test_a_daemon_that_nohup_started_outlives_its_terminal(folder):
    with Daemon(folder / "data", environment=NO_DATABASE, wrapper=["nohup"]) as daemon:
        daemon.signal(signal.SIGHUP)
        assert serves(daemon)
        with channel(daemon.address):
            assert daemon.process is not None
            assert daemon.process.poll() is None
        assert daemon.stop() == 0


def test_a_daemon_whose_terminal_is_gone_stops_without_a_word(folder):
    """What is written to a terminal that was hung up fails."""
    parent, child = os.openpty()
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "stewardd.main", "--data-dir", folder / "data"),
            *("--listen", f"unix:{folder}/steward.sock"),
        ],
        stderr=child,
        stdout=child,
        env={**os.environ, **NO_DATABASE, "STEWARDD_LOG__FORMAT": "json"},
    )
    os.close(child)
    said = b""
    while b'"serving"' not in said:
        said += os.read(parent, 4096)
    os.close(parent)
    process.send_signal(signal.SIGHUP)
    assert process.wait(60) == 0
