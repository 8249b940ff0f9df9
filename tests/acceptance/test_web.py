"""The HTTP port: probes while the daemon starts, works, lacks what it needs and stops; and clients that do harm."""

import contextlib
import os
import signal
import socket
import threading

import pytest
from steward.v1 import validation_pb2 as v

from tests.acceptance.conftest import LANGUAGE, NO_DATABASE, rows
from tests.acceptance.test_starts import refused_start, serves
from tests.support.calls import responses, upload, validate
from tests.support.daemon import Daemon
from tests.support.waiting import wait_until
from tests.support.web import WEB, get, scrape, value

ENVIRONMENT = {**NO_DATABASE, **WEB}
SILENT = 200


@pytest.fixture(scope="module")
def served(session_folder):
    environment = {**ENVIRONMENT, "STEWARDD_WEB__REQUEST_TIMEOUT_S": "2"}
    with Daemon(session_folder / "web", environment=environment) as daemon:
        yield daemon


def connected(address):
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), 20)


def test_a_daemon_whose_database_is_away_is_alive_and_ready_and_says_what_is_away(served):
    address = served.web_addresses[0]
    assert get(address, "/livez").text == "ok\n"
    ready = get(address, "/readyz")
    assert (ready.status, ready.text) == (200, "ok\n")
    assert ready.headers["cache-control"] == "no-store"
    lines = get(address, "/readyz?verbose").text.splitlines()
    assert lines[-1] == "ready"
    assert "[+] serving: ok" in lines
    assert "[+] lease: ok" in lines
    assert "[+] repository: healthy" in lines
    assert "[-] database: down, and not needed to take work" in lines
    assert value(address, "steward_ready") == 1
    assert value(address, "steward_component_state", component="database", state="down") == 1
    assert value(address, "steward_component_state", component="database", state="healthy") == 0
    main = {"database": "main"}
    wait_until(lambda: value(address, "steward_breaker_state", state="closed", **main) == 0)
    assert value(address, "steward_breaker_opened_total", **main) >= 1
    assert value(address, "steward_pool_connects_total", result="failed", **main) >= 5


def test_metrics_come_as_prometheus_reads_them(served):
    answer = get(served.web_addresses[0], "/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert answer.text.endswith("\n")
    assert get(served.web_addresses[0], "/metrics", "HEAD").text == ""


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/metrics/", 404),
        ("GET", "/metrics/../../etc/passwd", 404),
        ("POST", "/metrics", 405),
        ("DELETE", "/livez", 405),
    ],
)
def test_nothing_else_is_served(served, method, path, status):
    assert get(served.web_addresses[0], path, method).status == status


def test_the_probes_tell_a_start_from_a_failure(folder):
    """The daemon's embedded database takes seconds to be made; meanwhile the daemon is alive and not ready."""
    daemon = Daemon(folder / "data", environment=WEB).start(wait=False)
    wait_until(lambda: daemon.web_addresses)
    address = daemon.web_addresses[0]
    assert get(address, "/livez").status == 200
    starting = get(address, "/readyz?verbose")
    assert starting.status == 503
    assert starting.text == "[-] serving: the daemon is starting\nnot ready: serving\n"
    assert scrape(address)
    daemon.wait_serving()
    assert get(address, "/readyz").status == 200
    assert daemon.stop() == 0


def test_a_daemon_that_stops_says_so_before_it_takes_no_more_calls_and_stays_alive_until_the_end(
    folder,
):
    with Daemon(folder / "data", environment=ENVIRONMENT) as daemon:
        address = daemon.web_addresses[0]
        sent = threading.Event()

        def slowly():
            messages = upload(LANGUAGE + rows(10))
            yield next(messages)
            sent.wait(20)
            yield from messages

        answers = responses(daemon.address, slowly())
        found: list[v.ValidateBatchResponse] = []
        uploading = threading.Thread(target=lambda: found.extend(answers))
        uploading.start()
        wait_until(lambda: value(address, "steward_batches_running") == 1)
        daemon.signal(signal.SIGTERM)
        wait_until(lambda: get(address, "/readyz").status == 503)
        assert get(address, "/readyz").text == "not ready: serving\n"
        assert get(address, "/livez").status == 200
        assert value(address, "steward_ready") == 0
        sent.set()
        uploading.join(30)
        assert found[-1].summary.batch.total_rows == 10
        assert daemon.wait() == 0


def test_a_repository_that_is_away_makes_the_daemon_not_ready_and_leaves_it_alive(folder):
    environment = {**ENVIRONMENT, "STEWARDD_REPOSITORY__URL": str(folder / "repository")}
    with Daemon(folder / "data", environment=environment) as daemon:
        address = daemon.web_addresses[0]
        assert get(address, "/readyz").status == 200
        (folder / "repository").rename(folder / "elsewhere")
        (folder / "repository").write_text("no folder")
        wait_until(lambda: get(address, "/readyz").status == 503, 60)
        assert "repository" in get(address, "/readyz").text
        assert "[-] repository: down" in get(address, "/readyz?verbose").text
        assert get(address, "/livez").status == 200
        (folder / "repository").unlink()
        (folder / "elsewhere").rename(folder / "repository")
        wait_until(lambda: get(address, "/readyz").status == 200, 60)


def test_a_port_that_is_taken_is_named_before_anything_is_made(folder):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        said = refused_start(
            *("--data-dir", str(folder / "data")),
            *("--listen", "127.0.0.1:0", "--web-listen", address),
        )
    assert f"cannot listen on '{address}': address already in use [CONFIGURATION]" in said
    assert "web.listen" in said
    assert not (folder / "data").exists()


@pytest.mark.xdist_group("default ports")
def test_a_second_daemon_for_which_nobody_chose_a_port_serves_without_one(folder):
    with contextlib.ExitStack() as stack:
        # Where another process has the port, that serves as well.
        with contextlib.suppress(OSError):
            stack.enter_context(socket.create_server(("127.0.0.1", 50552)))
        daemon = Daemon(folder / "data", environment=NO_DATABASE)
        del daemon.environment["STEWARDD_WEB__LISTEN"]
        with daemon:
            assert serves(daemon)
            (told,) = daemon.events("no http port")
            assert told["error"] == "cannot listen on '127.0.0.1:50552': address already in use"
            assert "web.listen" in told["hint"]


@pytest.mark.parametrize("address", ["unix:/tmp/x", "127.0.0.1", "127.0.0.1:99999", "50552"])
def test_an_address_that_is_none_is_named(folder, address):
    said = refused_start("--data-dir", str(folder / "data"), "--web-listen", address)
    assert "web.listen (from --web-listen)" in said


def test_a_host_that_nobody_knows_is_named(folder):
    said = refused_start("--data-dir", str(folder / "data"), "--web-listen", "no-such.invalid:0")
    assert "cannot listen on 'no-such.invalid:0': its host is not known" in said


def test_without_an_address_there_is_no_port(folder):
    with Daemon(folder / "data", environment=NO_DATABASE) as daemon:
        assert daemon.web_addresses == []
        assert serves(daemon)
        assert daemon.events("web listening") == []


def test_a_port_that_others_reach_is_warned_of(folder):
    environment = {**NO_DATABASE, "STEWARDD_WEB__LISTEN": "0.0.0.0:0"}
    with Daemon(folder / "data", environment=environment) as daemon:
        (warning,) = daemon.events("metrics open to others")
        assert warning["level"] == "warning"
        port = daemon.web_addresses[0].rpartition(":")[2]
        assert get(f"127.0.0.1:{port}", "/livez").status == 200


def test_a_host_of_two_families_is_open_at_both_on_one_port(folder):
    families = {info[0] for info in socket.getaddrinfo("localhost", None)}
    if not socket.has_dualstack_ipv6():
        families -= {socket.AF_INET6}
    environment = {**NO_DATABASE, "STEWARDD_WEB__LISTEN": "localhost:0"}
    with Daemon(folder / "data", environment=environment) as daemon:
        assert len(daemon.web_addresses) == len(families)
        assert len({each.rpartition(":")[2] for each in daemon.web_addresses}) == 1
        for address in daemon.web_addresses:
            assert get(address, "/livez").status == 200


def test_connections_that_send_nothing_harm_no_batch_and_no_scrape_and_are_ended(served):
    """Two hundred of them, while a batch is uploaded; descriptors of the daemon stay bounded."""
    address = served.web_addresses[0]
    with contextlib.ExitStack() as stack:
        messages = upload(LANGUAGE + rows(20_000), chunk_bytes=20_000)
        silent: list[socket.socket] = []

        def meanwhile():
            for number, message in enumerate(messages):
                if number % 3 == 0:
                    silent.extend(stack.enter_context(connected(address)) for _ in range(20))
                yield message

        batch = validate(served.address, meanwhile())
        silent += [stack.enter_context(connected(address)) for _ in range(SILENT - len(silent))]
        assert batch.total_rows == 20_000
        for _ in range(5):
            assert get(address, "/livez").status == 200
        assert value(address, "process_open_fds") < SILENT
        for connection in silent:
            # The end, or a reset: both say that it is over.
            with contextlib.suppress(ConnectionResetError):
                assert connection.recv(1) == b""
    assert serves(served)


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\n\r\n",
        b"GET /livez HTTP/1.1\r\n" + b"x-header: ana@example.org\r\n" * 50_000 + b"\r\n",
        b"\x16\x03\x01" + os.urandom(500),
        os.urandom(100_000),
    ],
    ids=["a line of a megabyte", "a megabyte of headers", "TLS", "noise"],
)
def test_what_is_no_request_is_refused_and_leaves_no_line_in_the_log(served, head):
    before = len(served.log)
    with connected(served.web_addresses[0]) as connection:
        with contextlib.suppress(OSError):  # it may be ended while there is more to send
            connection.sendall(head)
        with contextlib.suppress(ConnectionResetError):
            said = connection.recv(1000)
            assert said == b"" or said.split(b" ")[1].startswith(b"40")
    assert get(served.web_addresses[0], "/livez").status == 200
    assert "ana@example.org" not in served.text
    assert [entry for entry in served.log[before:] if "uvicorn" in str(entry)] == []


def test_a_head_that_comes_byte_by_byte_is_ended(served):
    ended = threading.Event()
    with connected(served.web_addresses[0]) as connection:

        def drip():
            with contextlib.suppress(OSError):
                while not ended.wait(0.05):
                    connection.sendall(b"x")

        dripping = threading.Thread(target=drip)
        dripping.start()
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(1) == b""
        ended.set()
        dripping.join(20)


def test_uvicorn_takes_no_signal_and_says_nothing(served):
    assert "Uvicorn running" not in served.text
    assert "Started server process" not in served.text


def test_two_daemons_of_one_repository_have_ports_of_their_own(folder):
    shared = {**ENVIRONMENT, "STEWARDD_REPOSITORY__URL": str(folder / "repository")}
    with (
        Daemon(folder / "one", environment=shared) as one,
        Daemon(folder / "two", environment=shared) as two,
    ):
        assert validate(one.address, upload(LANGUAGE + rows(10, bad_every=5))).quarantined_rows == 2
        schema = {"schema": "language_session"}
        name = "steward_batch_rows_total"
        assert value(one.web_addresses[0], name, verdict="quarantined", **schema) == 2
        assert value(two.web_addresses[0], name, verdict="quarantined", **schema) == 0


def test_a_killed_daemons_port_is_free_at_once(folder):
    with Daemon(folder / "data", environment=ENVIRONMENT) as daemon:
        address = daemon.web_addresses[0]
        kept = connected(address)
        daemon.kill()
        daemon.environment["STEWARDD_WEB__LISTEN"] = address
        daemon.start()
        assert get(address, "/readyz").status == 200
        kept.close()
