"""How a backup ended is told by a signed POST or a command: again after a failure, in bounds, and never waited for."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from stewardd.app.telling import check_telling
from stewardd.backup.telling.signature import read_secret, signed_headers
from stewardd.backup.telling.teller import Teller, TellOptions
from stewardd.backup.telling.waiting import ROOT, Receiver, WaitingMessages
from stewardd.backup.telling.ways import Command, NotTold, TellMessage, Way, Webhook
from stewardd.config.loading import load
from stewardd.errors import ConfigurationError, RepositoryDown
from stewardd.operations.state import OperationFailure, OperationState
from stewardd.repository.backend.folder.store import FolderStore
from stewardd.repository.claims import Claims
from stewardd.repository.identifiers import uuid7

from tests.support.waiting import until

ID = "019aabcd-0000-7000-8000-000000000000"
WHEN = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()
QUICK = TellOptions(timeout_s=5.0, attempts=3, first_pause_s=0.01)
MESSAGE = TellMessage("msg_1", b'{"type": "backup.completed"}')


def ended(reason: str = "", kind: str = "CreateBackup", identifier: str = ID) -> OperationState:
    error = OperationFailure(reason, "pg_dump ended badly") if reason else None
    metadata = {"backup": ID, "database": "main"}
    return OperationState(
        identifier, kind, metadata, WHEN, WHEN, True, None if error else {}, error
    )


class Receiving:
    """An HTTP server that answers with the statuses it is given, and keeps what it got."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.got: list[tuple[dict[str, str], bytes]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.got.append((headers, body))
                status = receiver.statuses.pop(0) if receiver.statuses else 204
                self.send_response(status)
                if status == 302:
                    self.send_header("location", f"http://127.0.0.1:{receiver.port}/elsewhere")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"


@pytest.fixture
def receiver() -> Iterator[Receiving]:
    made = Receiving()
    thread = threading.Thread(target=made.server.serve_forever, daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


def test_the_signature_is_that_of_the_standard() -> None:
    """The example of the specification's reference implementations."""
    key = read_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = signed_headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', key
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_short", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])
def test_a_secret_that_is_none_is_refused_without_being_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"whsec_ and the base64") as refused:
        read_secret(text)
    assert not text or text.removeprefix("whsec_") not in str(refused.value) or text == "whsec_"


async def test_a_webhook_gets_what_it_can_check(receiver: Receiving) -> None:
    await Webhook(receiver.url, KEY).tell(MESSAGE, 5)
    ((headers, body),) = receiver.got
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    wanted = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{wanted}"
    assert headers["content-type"] == "application/json"


async def test_no_redirect_is_followed(receiver: Receiving) -> None:
    receiver.statuses = [302]
    with pytest.raises(NotTold, match="302"):
        await Webhook(receiver.url, KEY).tell(MESSAGE, 5)
    assert len(receiver.got) == 1


@pytest.fixture
def counted() -> list[str]:
    return []


@pytest.fixture
def teller_of(first: FolderStore, claims: Claims, counted: list[str]) -> Callable[..., Teller]:
    def make(
        *, options: TellOptions = QUICK, later: timedelta = timedelta(0), **ways: Way
    ) -> Teller:
        return Teller(
            {Receiver(name.replace("_", "-")): way for name, way in ways.items()},
            WaitingMessages(first),
            claims,
            options,
            counted.append,
            lambda: datetime.now(UTC) + later,
        )

    return make


async def told(teller: Teller, counted: list[str], *states: OperationState) -> None:
    teller.start()
    try:
        for state in states:
            await teller.ended(state)
        await until(lambda: len(counted) >= len(states))
    finally:
        await teller.stop()


async def waiting(store: FolderStore) -> list[str]:
    return [meta.key.rpartition("/")[2] async for meta in store.list(ROOT)]


async def test_a_message_is_told_again_under_its_id_until_it_arrives(
    receiver: Receiving, teller_of: Callable[..., Teller], counted: list[str], first: FolderStore
) -> None:
    receiver.statuses = [500, 503]
    teller = teller_of(success_webhook=Webhook(receiver.url, KEY))
    await told(teller, counted, ended())
    assert counted == ["told"]
    assert [headers["webhook-id"] for headers, _ in receiver.got] == [f"msg_{ID}"] * 3
    found = json.loads(receiver.got[0][1])
    assert found["type"] == "backup.completed"
    assert found["data"] == {
        "operation": f"operations/{ID}",
        "database": "main",
        "backup": f"backups/{ID}",
    }
    assert await waiting(first) == []


async def test_success_and_failure_have_receivers_of_their_own(
    receiver: Receiving, teller_of: Callable[..., Teller], counted: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "told"
    program = f"import sys; open({str(file)!r}, 'w').write(sys.stdin.read())"
    command = Command((sys.executable, "-c", program))
    teller = teller_of(success_webhook=Webhook(receiver.url, None), failure_command=command)
    await told(teller, counted, ended(), ended("TOOL_FAILED"))
    assert len(receiver.got) == 1
    assert "webhook-signature" not in receiver.got[0][0]
    found = json.loads(file.read_text())
    assert found["type"] == "backup.failed"
    assert found["data"]["reason"] == "TOOL_FAILED"


async def test_what_was_cancelled_and_what_is_no_backup_is_not_told(
    receiver: Receiving, teller_of: Callable[..., Teller], counted: list[str]
) -> None:
    way = Webhook(receiver.url, None)
    teller = teller_of(success_webhook=way, failure_webhook=way)
    silent = [ended("CANCELLED"), ended("DAEMON_STOPPING"), ended(kind="PurgeQuarantine")]
    for each in silent:
        await teller.ended(each)
    await told(teller, counted, ended())
    assert len(receiver.got) == 1


async def test_what_never_arrives_is_given_up_and_a_full_queue_drops(
    teller_of: Callable[..., Teller], counted: list[str], first: FolderStore
) -> None:
    options = TellOptions(timeout_s=5.0, attempts=2, first_pause_s=0.01, max_queued=2)
    nobody = Webhook("http://127.0.0.1:1/", KEY)
    teller = teller_of(options=options, failure_webhook=nobody)
    for _ in range(3):
        await teller.ended(ended("TOOL_FAILED", identifier=uuid7()))
    assert counted == ["dropped"]
    teller.start()
    await until(lambda: len(counted) >= 3)
    await teller.stop()
    assert counted == ["dropped", "failed", "failed"]
    assert await waiting(first) == []


async def test_what_waits_when_a_daemon_stops_is_told_by_another(
    receiver: Receiving, teller_of: Callable[..., Teller], counted: list[str], first: FolderStore
) -> None:
    slow = TellOptions(timeout_s=5.0, attempts=5, first_pause_s=3600.0)
    nobody = Webhook("http://127.0.0.1:1/", KEY)
    stopping = teller_of(options=slow, success_webhook=nobody, failure_webhook=nobody)
    stopping.start()
    ids = [uuid7() for _ in range(3)]
    await stopping.ended(ended(identifier=ids[0]))
    await until(lambda: bool(list(first.root.glob(f"{ROOT}/*/{ids[0]}/*"))))
    await stopping.ended(ended("TOOL_FAILED", identifier=ids[1]))
    await stopping.stop()
    await stopping.ended(ended(identifier=ids[2]))  # it ended while the daemon stopped
    assert len(await waiting(first)) == 3
    assert counted == []
    heard = Webhook(receiver.url, KEY)
    # A daemon that has not the receiver leaves it to others.
    deaf = teller_of(failure_webhook=heard)
    deaf.start()
    await until(lambda: len(counted) == 1)
    await deaf.stop()
    following = teller_of(success_webhook=heard)
    following.start()
    await until(lambda: len(counted) == 3)
    await following.stop()
    assert counted == ["told"] * 3
    told_of = [headers["webhook-id"] for headers, _ in receiver.got]
    # The other two are of one millisecond, so that their order is open.
    assert told_of[0] == f"msg_{ids[1]}"
    assert sorted(told_of[1:]) == sorted([f"msg_{ids[0]}", f"msg_{ids[2]}"])
    assert await waiting(first) == []


async def test_of_several_daemons_one_tells_each_message(
    receiver: Receiving, teller_of: Callable[..., Teller], counted: list[str]
) -> None:
    quick = TellOptions(timeout_s=5.0, attempts=3, first_pause_s=0.01, look_s=0.01)
    way = Webhook(receiver.url, KEY)
    tellers = [teller_of(options=quick, success_webhook=way) for _ in range(4)]
    for each in tellers:
        each.start()
    for each in tellers:
        await each.ended(ended(identifier=uuid7()))
    await until(lambda: len(counted) >= 4)
    for each in tellers:
        await each.stop()
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == len(receiver.got) == 4


async def test_what_waited_for_a_day_is_dropped(
    receiver: Receiving, teller_of: Callable[..., Teller], counted: list[str], first: FolderStore
) -> None:
    nobody = teller_of(success_webhook=Webhook("http://127.0.0.1:1/", KEY))
    await nobody.stop()
    await nobody.ended(ended())
    late = teller_of(later=timedelta(days=1), success_webhook=Webhook(receiver.url, KEY))
    late.start()
    await until(lambda: counted == ["dropped"])
    await late.stop()
    assert receiver.got == []
    assert await waiting(first) == []


async def test_a_message_is_told_also_when_the_repository_does_not_take_it(
    receiver: Receiving,
    teller_of: Callable[..., Teller],
    counted: list[str],
    first: FolderStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    teller = teller_of(success_webhook=Webhook(receiver.url, KEY))

    async def refuse(*_: object, **__: object) -> None:
        raise RepositoryDown("the repository does not answer")

    for name in ("put", "head", "get"):
        monkeypatch.setattr(first, name, refuse)
    await told(teller, counted, ended())
    assert counted == ["told"]
    assert len(receiver.got) == 1


async def test_a_command_is_killed_when_its_time_is_over(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    program = f"import os, time; open({str(file)!r}, 'w').write(str(os.getpid())); time.sleep(3600)"
    with pytest.raises(NotTold, match="longer than"):
        await Command((sys.executable, "-c", program)).tell(MESSAGE, 3)
    with pytest.raises(ProcessLookupError):
        for _ in range(500):
            os.kill(int(file.read_text()), 0)
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("/nowhere/program",), "No such file"),
        ((sys.executable, "-c", "import sys; sys.exit('the pager is out')"), "the pager is out"),
    ],
)
async def test_a_command_that_fails_is_not_told(command: tuple[str, ...], words: str) -> None:
    with pytest.raises(NotTold, match=words):
        await Command(command).tell(MESSAGE, 20)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('webhook_url = "ftp://x/hook-token"', "no http or https URL"),
        ('webhook_url = "https://x/"\nwebhook_secret = "hook-token"', "whsec_"),
        ('webhook_secret = "whsec_hook-token"', "no webhook_url"),
    ],
)
def test_a_receiver_that_could_not_be_told_is_refused_by_name(
    tmp_path: Path, text: str, words: str
) -> None:
    file = tmp_path / "steward.toml"
    file.write_text(f'data_dir = "/x"\n[backup.tell.failure]\n{text}\n')
    with pytest.raises(ConfigurationError, match=words) as refused:
        check_telling(load(file, {}, {}))
    assert "backup.tell.failure" in refused.value.message
    assert "hook-token" not in refused.value.message
