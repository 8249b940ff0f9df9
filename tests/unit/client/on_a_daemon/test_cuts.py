"""A connection that breaks, whatever gRPC makes of it, is no answer of the daemon: what can be sent again is."""

import random
import threading

import pytest
from steward_client import RetryPolicy, errors

from tests.support.call_proxy import ANSWERED, COMMIT, bare, failing
from tests.support.proxy import Proxy

BROKEN = [
    ("INTERNAL", "Internal error from Core"),
    ("INTERNAL", "Received RST_STREAM with error code 2"),
    ("INTERNAL", "RST_STREAM (Received RST_STREAM with error code 2)"),
    ("UNKNOWN", "Stream removed"),
    ("UNKNOWN", "No status received"),
    ("UNAVAILABLE", "Stream removed (sendmsg: Broken pipe (32))"),
    ("UNAVAILABLE", "GOAWAY received; Error code: 0; Debug Text: max_age"),
    ("UNAVAILABLE", "Socket closed"),
]
CUTS = 3


@pytest.mark.parametrize(("code", "message"), BROKEN)
def test_a_broken_connection_is_told_as_one(both, server, code, message):
    server.fail("Health", *[bare(code, message)] * 4)
    with pytest.raises(errors.ConnectionLost) as caught:
        both.health()
    assert caught.value.metadata == {
        "target": server.address,
        "details": message,
        "status": code,
    }
    assert (caught.value.code, caught.value.reason) == ("UNAVAILABLE", "CONNECTION_LOST")


@pytest.mark.parametrize(("code", "message"), BROKEN)
def test_an_upload_whose_connection_broke_is_sent_again_and_one_batch_comes_of_it(
    both, server, notes, code, message
):
    server.fail("ValidateBatch", bare(code, message))
    server.fail("ValidateBatch", bare(code, message), at=ANSWERED)
    assert both.validate_file(notes).total_rows == 3
    assert len(server.batches) == 1


@pytest.mark.parametrize(("code", "message"), BROKEN[:4])
@pytest.mark.parametrize("size_bytes", [30, 8_000_000])
def test_the_same_words_from_the_daemon_are_its_answer(shells, server, size_bytes, code, message):
    # The longer one is still being written when the answer comes. Once each: a second try would hide a lost answer.
    server.fail("ValidateBatch", failing(code, "UNEXPECTED", message))
    client = shells(server.address, retry=RetryPolicy(attempts=1))
    with pytest.raises(errors.Failed) as caught:
        client.validate_file(b"id,rating\n" + b"x" * size_bytes)
    assert caught.value.reason == "UNEXPECTED"


@pytest.mark.parametrize("code", ["INTERNAL", "UNKNOWN"])
def test_a_failure_that_speaks_of_no_connection_is_a_failure(both, server, notes, code):
    server.fail("ValidateBatch", bare(code, "it went wrong"), at=COMMIT)
    with pytest.raises(errors.Failed):
        both.validate_file(notes)
    assert server.calls["ValidateBatch"] == 1


class Cuts:
    """So many cuts, each once the client has sent a number of bytes that chance picks."""

    def __init__(self, seed: int, size_bytes: int) -> None:
        self._chance = random.Random(seed)
        self._size_bytes = size_bytes
        self._lock = threading.Lock()
        self.left = CUTS
        self._draw()

    def _draw(self) -> None:
        self._at = self._chance.randrange(1000, self._size_bytes)

    def __call__(self, sent_bytes: int) -> bool:
        with self._lock:
            if not self.left or sent_bytes < self._at:
                return False
            self.left -= 1
            self._draw()
            return True


@pytest.mark.parametrize("seed", range(4))
def test_an_upload_over_a_network_that_cuts_it_at_any_moment_makes_one_batch(
    shells, noted, server, seed
):
    content = b"id,rating\n" + b"x,0.5\n" * 800_000
    # The daemon needs a moment to see that a connection is gone, and refuses the same request_id until then.
    patient = RetryPolicy(attempts=3 * CUTS, initial_delay_s=0.1, max_delay_s=0.5)
    with Proxy(noted.address) as proxy:
        proxy.on_sent = cuts = Cuts(seed, len(content))
        batch = shells(proxy.address, retry=patient).validate_file(content)
    assert batch.total_rows == 800_000
    assert cuts.left == 0
    assert len(server.batches) == 1


def test_a_connection_that_takes_its_time_is_no_daemon_that_is_not_there(shells, server, notes):
    with Proxy(server.address) as proxy:
        proxy.delay_s = 1.0
        assert shells(proxy.address).validate_file(notes).total_rows == 3
