"""Payloads that ValidatePayload quarantines one by one: gathered into batches, durable, once under each request_id."""

import asyncio
import json

import pytest
from steward_client import AsyncClient, BatchFilter, Client
from steward_client.errors import Conflict, InvalidRequest
from stewardd.validation.payload_gathering import MAX_PAYLOADS

from tests.acceptance.conftest import NO_DATABASE
from tests.support.checkins import checkin
from tests.support.daemon import Daemon


@pytest.fixture(scope="module")
def daemon(session_folder):
    settings = {**NO_DATABASE, "STEWARDD_SERVER__MAX_CONCURRENT_CALLS": "1000"}
    with Daemon(session_folder / "payload-gathering", environment=settings) as started:
        yield started


@pytest.fixture(scope="module")
def client(daemon):
    with Client(daemon.address) as connected:
        yield connected


def test_a_request_id_gets_the_same_row_and_is_refused_for_another_payload(client):
    invalid = checkin(1, "sad")

    def keep(payload=invalid, request_id="p-1", **options):
        settings = {"schema": "buddy_checkin", "source_file": "hook", **options}
        return client.validate_payload(payload, quarantine=True, request_id=request_id, **settings)

    first = keep()
    before = [each.name for each in client.list_batches()]
    assert keep() == first
    for other in (
        {"payload": checkin(2, "sad")},
        {"source_file": "other"},
        {"strict": True},
        {"schema_version": "1.0"},
    ):
        with pytest.raises(InvalidRequest) as told:
            keep(**other)
        assert told.value.reason == "REQUEST_ID_REUSED"
    assert keep(payload=checkin(1), request_id="p-2").row == ""
    assert [each.name for each in client.list_batches()] == before
    assert keep(request_id="p-2").row not in ("", first.row)
    assert keep(request_id="p" * 128).row
    with pytest.raises(InvalidRequest):
        keep(request_id="p" * 129)


def test_requests_that_come_twice_at_once_get_one_row_each_and_share_batches(daemon, client):
    count = 100
    before = {each.name for each in client.list_batches()}

    async def keep_all():
        async with AsyncClient(daemon.address) as many:
            return await asyncio.gather(
                *(
                    many.validate_payload(
                        checkin(n % count, "sad"),
                        schema="buddy_checkin",
                        quarantine=True,
                        request_id=f"twice-{n % count}",
                    )
                    for n in range(2 * count)
                )
            )

    rows = [each.row for each in asyncio.run(keep_all())]
    assert rows[:count] == rows[count:]
    assert len(set(rows)) == count
    batches = {each.name for each in client.list_batches()} - before
    assert len(batches) < count / 4
    assert sum(client.get_batch(name).quarantined_rows for name in batches) == count
    assert [each.row for each in asyncio.run(keep_all())] == rows
    assert {each.name for each in client.list_batches()} - before == batches


def test_two_daemons_on_one_repository_quarantine_a_request_once(daemon, client, session_folder):
    environment = {
        **NO_DATABASE,
        "STEWARDD_REPOSITORY__URL": str(daemon.data_dir / "repository"),
    }
    with Daemon(session_folder / "beside", environment=environment) as beside:

        async def keep(address, number):
            async with AsyncClient(address) as one:
                while True:
                    try:
                        return await one.validate_payload(
                            checkin(number, "sad"),
                            schema="buddy_checkin",
                            quarantine=True,
                            source_file="shared",
                            request_id=f"shared-{number}",
                        )
                    except Conflict as error:
                        assert error.reason == "REQUEST_IN_PROGRESS"
                        await asyncio.sleep(0.1)

        async def keep_all():
            addresses = (daemon.address, beside.address)
            return await asyncio.gather(*(keep(at, n) for n in range(20) for at in addresses))

        rows = [each.row for each in asyncio.run(keep_all())]
    assert rows[::2] == rows[1::2]
    assert len(set(rows)) == 20
    shared = BatchFilter(source_file="shared")
    assert sum(each.quarantined_rows for each in client.list_batches(batches=shared)) == 20


def test_a_daemon_that_is_killed_while_it_quarantines_keeps_each_request_once(session_folder):
    count = 300

    async def keep(client, number):
        while True:
            try:
                verdict = await client.validate_payload(
                    checkin(number, "sad"),
                    schema="buddy_checkin",
                    quarantine=True,
                    request_id=f"kill-{number}",
                    timeout_s=60,
                )
            except Conflict as error:
                assert error.reason == "REQUEST_IN_PROGRESS"
                await asyncio.sleep(0.2)
            else:
                return verdict.row

    async def killed():
        async with AsyncClient(victim.address) as client:
            calls = [asyncio.ensure_future(keep(client, n)) for n in range(count)]
            await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
            victim.kill()
            for each in calls:
                each.cancel()
            return await asyncio.gather(*calls, return_exceptions=True)

    async def all_again():
        async with AsyncClient(victim.address) as client:
            return await asyncio.gather(*(keep(client, n) for n in range(count)))

    settings = {**NO_DATABASE, "STEWARDD_SERVER__MAX_CONCURRENT_CALLS": "1000"}
    with Daemon(session_folder / "killed-twice", environment=settings) as victim:
        told = {n: row for n, row in enumerate(asyncio.run(killed())) if isinstance(row, str)}
        assert told
        victim.start()
        rows = asyncio.run(all_again())
        assert len(set(rows)) == count
        assert all(rows[number] == row for number, row in told.items())
        with Client(victim.address) as client:
            assert sum(each.quarantined_rows for each in client.list_batches()) == count


def test_payloads_that_come_together_share_batches_and_each_caller_has_its_own_row(daemon, client):
    count = MAX_PAYLOADS + 44
    before = {each.name for each in client.list_batches()}

    async def keep_all():
        async with AsyncClient(daemon.address) as many:
            return await asyncio.gather(
                *(
                    many.validate_payload(
                        json.dumps(json.loads(checkin(n, "sad")), indent=1),
                        schema="buddy_checkin",
                        quarantine=True,
                        source_file="hook",
                    )
                    for n in range(count)
                )
            )

    verdicts = asyncio.run(keep_all())
    rows = [each.row for each in verdicts]
    assert len(set(rows)) == count
    batches = {row.partition("/rows/")[0] for row in rows}
    assert batches == {each.name for each in client.list_batches()} - before
    assert len(batches) < count / 4
    kept = {row.name: row for name in batches for row in client.quarantined_rows(name)}
    for number, name in enumerate(rows):
        assert json.loads(kept[name].raw_row)["notes"] == f"by ana{number}@example.org"
    assert {client.get_batch(name).source_file for name in batches} == {"hook"}


def test_what_is_quarantined_alone_is_durable_when_the_answer_comes(session_folder):
    with Daemon(session_folder / "killed", environment=NO_DATABASE) as daemon:
        with Client(daemon.address) as client:
            verdict = client.validate_payload("{", schema="buddy_checkin", quarantine=True)
        daemon.kill()
        daemon.start()
        with Client(daemon.address) as client:
            assert client.get_quarantined_row(verdict.row).raw_row == b"{"


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\n\n",
        b"\xef\xbb\xbf{}",
        b"\xff\xfe{\x00}\x00",
        b"\x1f\x8b\x08",
        b"\x28\xb5\x2f\xfd",
        b'{"a": "x\ny"}',
        b"{\r\n}",
        b"[" * 65 + b"\n",
        b"\x00",
        b'"' + b"x" * (1 << 20) + b'"\n',
    ],
)
def test_no_payload_keeps_its_neighbours_from_quarantine(daemon, client, payload):
    async def keep_all():
        async with AsyncClient(daemon.address) as many:
            sent = (payload, b"{}", payload)
            return await asyncio.gather(
                *(
                    many.validate_payload(each, schema="buddy_checkin", quarantine=True)
                    for each in sent
                )
            )

    verdicts = asyncio.run(keep_all())
    assert len({each.row for each in verdicts}) == 3
    plain = client.get_quarantined_row(verdicts[1].row)
    assert plain.raw_row.strip() == b"{}"
    for each in verdicts:
        row = client.get_quarantined_row(each.row)
        assert row.violations
        assert row.state == "open"


def test_a_valid_payload_is_not_quarantined(client):
    before = [each.name for each in client.list_batches()]
    verdict = client.validate_payload(checkin(1), schema="buddy_checkin", quarantine=True)
    assert verdict.valid
    assert verdict.row == ""
    assert [each.name for each in client.list_batches()] == before
