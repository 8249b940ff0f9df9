"""`steward quarantine retry | purge | erase`, as somebody runs them: first they say what they would do."""

import json
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import pytest
from steward.v1 import quarantine_pb2 as q
from steward.v1 import validation_pb2 as v

from tests.support.waiting import wait_until

REQUESTS = {
    "retry": q.RetryQuarantineRequest,
    "purge": q.PurgeQuarantineRequest,
    "erase": q.EraseSubjectRequest,
}


def document(ended):
    return json.loads(ended.stdout)


@pytest.fixture
def memos(server, word):
    """Publishes a batch with three open rows, of which the version 1.1 takes two."""

    def publish():
        rows = b"ana@%s,7\nb,2\nc,3\nd,1\n" % word.encode()
        return server.client.validate_file(
            b"key,score\n" + rows, schema="memo", schema_version="1.0", source_file=word
        ).name

    return publish


def soon():
    return (datetime.now(UTC) + timedelta(minutes=1)).isoformat()


@pytest.mark.parametrize(
    ("verb", "told", "code"),
    [
        ("retry", "3 rows of 1 batch", 1),
        ("purge", "3 rows of 1 batch", 0),
        ("erase", "the address", 0),
    ],
)
def test_what_changes_many_rows_says_how_many_first_and_does_it_only_when_told_to(
    steward, server, tmp_path, memos, word, verb, told, code
):
    (tmp_path / "address.txt").write_text(f"ana@{word}\n")
    words = {
        "retry": ("retry", "--keyword", "maximum", "--file", word),
        "purge": ("purge", "--before", soon(), "--state", "open", "--file", word),
        "erase": ("erase", "--address-file", "address.txt"),
    }[verb]
    name = memos()
    before = list(server.client.quarantined_rows(name))
    planned = steward("quarantine", *words)
    assert (planned.returncode, f"{told} would be" in planned.stdout) == (code, True)
    assert "with --apply does it" in planned.stdout
    assert [request.dry_run for request in server.of(REQUESTS[verb])] == [True]
    assert list(server.client.quarantined_rows(name)) == before
    done = steward("quarantine", *words, "--apply")
    assert done.returncode == code
    was = "was" if verb == "erase" else "were"
    assert done.stdout.index(f"{told} would be") < done.stdout.index(f"{told} {was}")
    assert [request.dry_run for request in server.of(REQUESTS[verb])] == [True, True, False]
    assert list(server.client.quarantined_rows(name)) != before
    memos()
    said = document(steward("quarantine", *words, "--yes", "--output", "json"))
    assert (said["planned"]["dry_run"], said["done"]["dry_run"]) == (True, False)


def test_a_filter_that_follows_is_given_with_those_that_are_said(steward, server):
    steward("quarantine", "retry", "--keyword", "enum")
    sent = server.of(q.RetryQuarantineRequest)[-1]
    assert (sent.parent, sent.batches.state, sent.keyword) == (
        "batches/-",
        v.ROW_STATE_OPEN,
        "enum",
    )
    steward("quarantine", "purge", "--before", "2025-01-01", "--until", "2025-06-01")
    sent = server.of(q.PurgeQuarantineRequest)[-1]
    assert sent.batches.create_before.ToJsonString() == "2025-01-01T00:00:00Z"


def test_nothing_is_done_where_there_is_nothing_to_do(steward, server):
    ended = steward("quarantine", "purge", "--before", "90d", "--apply")
    assert (ended.returncode, "there is nothing to do" in ended.stdout) == (0, True)
    assert len(server.of(q.PurgeQuarantineRequest)) == 1


def test_one_row_is_told_in_the_singular(steward, server, word):
    name = server.client.validate_file(b"id,rating\na,7\nb,8\n", source_file=word).name
    left = steward("quarantine", "discard", name, 1, "--reason", "twice")
    assert left.stdout == f"1 row discarded\n1 row of {name} is open\n"
    done = steward("quarantine", "purge", "--before", soon(), "--file", word, "--apply")
    assert "1 row of 1 batch was removed for good" in done.stdout


def test_an_address_comes_by_stdin_and_is_told_nowhere(steward, server):
    ended = steward("quarantine", "erase", text="ana@example.org\n")
    assert (ended.returncode, server.of(q.EraseSubjectRequest)[-1].email) == (0, "ana@example.org")
    assert "ana@" not in ended.stdout + ended.stderr


def test_ctrl_c_in_a_plan_cancels_it(environment, server):
    ended = threading.Event()
    server.fail("WatchOperation", lambda _call: ended.wait(60))
    process = subprocess.Popen(
        [sys.executable, "-m", "steward_client.command", "quarantine", "purge", "--before", "1d", "--apply"],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    wait_until(lambda: server.calls["WatchOperation"])
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    ended.set()
    assert (process.returncode, "nothing was changed" in err) == (130, True)
    assert server.calls["CancelOperation"] == 1
    assert [each.dry_run for each in server.of(q.PurgeQuarantineRequest)] == [True]
