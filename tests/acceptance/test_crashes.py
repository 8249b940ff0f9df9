"""Uploads that are cut, and a daemon that is killed: no half batch is ever visible, and a restart says what it swept.

Moments are random but seeded; `make test` runs a sample, `make test-full` all of them.
"""

import random
import threading
import time
from contextlib import suppress

import grpc
import pytest
from steward.v1 import validation_pb2_grpc

from tests.acceptance.conftest import LANGUAGE, NO_DATABASE, rows
from tests.support.calls import (
    Request,
    batches,
    channel,
    crc32c,
    download,
    opening,
    upload,
    validate,
)
from tests.support.campaigns import FULL
from tests.support.daemon import Daemon
from tests.support.waiting import wait_until

CUTS = 50 if FULL else 20
KILLS = 20 if FULL else 5
BODY = LANGUAGE + rows(40_000, bad_every=7)


def check_whole(address, expected_rows=40_000):
    """Every batch that can be seen is whole: its counts add up and its files are what their checksums say."""
    seen = batches(address)
    for batch in seen:
        assert batch.total_rows == expected_rows == batch.valid_rows + batch.quarantined_rows
        for file in batch.files:
            body = download(address, batch.name, file.name.rpartition("/")[2])
            assert (len(body), crc32c(body)) == (file.size_bytes, file.crc32c)
        records = download(address, batch.name, "records.jsonl")
        assert records.count(b"\n") == batch.quarantined_rows
    return seen


@pytest.mark.campaign
def test_uploads_that_are_cut_at_random_moments_publish_nothing(folder):
    rng = random.Random(50)
    with Daemon(folder / "data", environment=NO_DATABASE) as daemon:
        for _ in range(CUTS):
            cut = rng.randrange(len(BODY))
            _send_and_cut(daemon.address, cut, rng)
        assert batches(daemon.address) == []
        wait_until(lambda: not list((daemon.data_dir / "scratch").iterdir()))
        assert _objects(daemon, "batches") == []
        assert validate(daemon.address, upload(BODY)).total_rows == 40_000
        check_whole(daemon.address)


@pytest.mark.campaign
def test_a_daemon_killed_in_the_middle_leaves_no_half_batch_and_sweeps(folder):
    rng = random.Random(20)
    daemon = Daemon(folder / "data", environment=NO_DATABASE).start()
    acknowledged: set[str] = set()
    swept = 0
    try:
        for attempt in range(KILLS):
            results: list[str] = []
            sender = threading.Thread(target=_send, args=(daemon.address, f"id-{attempt}", results))
            sender.start()
            # The moments are spread over the whole upload and a little beyond.
            time.sleep(rng.uniform(0.0, 0.5))
            daemon.kill()
            sender.join(30)
            acknowledged.update(results)
            daemon.start()
            swept += len(daemon.events("swept")) + len(
                daemon.events("removed batches in the making")
            )
            names = {batch.name for batch in check_whole(daemon.address)}
            assert acknowledged <= names, "a batch that was acknowledged is gone"
            assert not list((daemon.data_dir / "scratch").iterdir())
            assert _folders(daemon) == {name.removeprefix("batches/") for name in names}
            # The same request again is answered, by the old batch or by a new one, and never by two.
            again = validate(daemon.address, upload(BODY, request_id=f"id-{attempt}"))
            acknowledged.add(again.name)
            assert [b.request_id for b in batches(daemon.address)].count(f"id-{attempt}") == 1
        assert swept > 0, "no kill hit a batch in the making"
    finally:
        daemon.stop()


def test_a_second_daemon_on_the_same_folder_is_refused_by_name(folder):
    with Daemon(folder / "data") as first:
        second = Daemon(folder / "data")
        second.start(wait=False)
        assert second.wait() == 3
        assert "another daemon" in second.text
        assert validate(first.address, upload(LANGUAGE)).total_rows == 0


def _send_and_cut(address, cut, rng):
    """Sends the beginning of the file, then goes away: half-closed, or the whole connection."""
    gone = threading.Event()
    polite = rng.random() < 0.5

    def messages():
        yield opening()
        for begin in range(0, cut, 100_000):
            yield Request(chunk=Request.Chunk(data=BODY[begin : min(begin + 100_000, cut)]))
        if not polite:
            gone.wait(10)

    with channel(address) as open_channel:
        call = validation_pb2_grpc.ValidationServiceStub(open_channel).ValidateBatch(
            messages(), timeout=30
        )
        if polite:
            with pytest.raises(grpc.RpcError):
                list(call)
        else:
            time.sleep(rng.uniform(0.0, 0.05))
            call.cancel()
            gone.set()


def _slowly(messages):
    """Spreads an upload over some tenths of a second, so that random moments fall into all of its parts."""
    for message in messages:
        time.sleep(0.01)
        yield message


def _send(address, request_id, results):
    with suppress(grpc.RpcError):
        results.append(
            validate(
                address,
                _slowly(upload(BODY, request_id=request_id, chunk_bytes=100_000)),
                timeout_s=30,
            ).name
        )


def _objects(daemon, kind):
    root = daemon.data_dir / "repository" / kind
    return [path for path in root.rglob("*") if path.is_file()]


def _folders(daemon):
    """The ids of what holds more than a fence, the empty object that closes a manifest's place."""
    return {
        path.parent.name
        for path in _objects(daemon, "batches")
        if path.stat().st_size or path.name != "manifest.json"
    }


def test_a_request_id_is_forgotten_after_its_time(folder):
    environment = {
        **NO_DATABASE,
        # They are forgotten once, so long after the start; what is younger then would be kept.
        "STEWARDD_REPOSITORY__SWEEP_INTERVAL_S": "10",
        "STEWARDD_REPOSITORY__REQUEST_IDS_KEPT_S": "0.1",
    }
    with Daemon(folder / "data", environment=environment) as daemon:
        first = validate(daemon.address, upload(LANGUAGE, request_id="one"))
        assert validate(daemon.address, upload(LANGUAGE, request_id="one")) == first
        wait_until(
            lambda: any(each["count"] for each in daemon.events("request ids forgotten")), 60
        )
        assert validate(daemon.address, upload(LANGUAGE, request_id="one")).name != first.name
