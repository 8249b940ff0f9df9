"""Both SDK clients and the command `steward`, against a real daemon."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import google_crc32c
import pytest
from steward_client import Accepted, HealthState, RetryPolicy, SchemaKind, errors

from tests.acceptance.conftest import LANGUAGE, NO_DATABASE, rows
from tests.support.command import steward_of as steward
from tests.support.daemon import Daemon
from tests.support.shells import Shells

ARGV = [sys.executable, "-m", "steward_client.command"]
SAMPLES = ["language_session_1.0.csv", "language_session_1.1.csv", "mentorship_session_1.0.csv"]


@pytest.fixture(scope="module")
def served(session_folder):
    """A daemon of this module's own: what it lists is what was sent here."""
    with Daemon(session_folder / "clients") as running:
        yield running


@pytest.fixture(params=["plain", "asyncio"])
def shells(request):
    made = Shells(request.param)
    yield made
    made.close()


@pytest.fixture
def client(shells, served):
    return shells(served.address)


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_goes_in_and_all_of_it_comes_out(client, examples, tmp_path, name):
    source = examples / name
    batch = client.validate_file(source, keep_valid_rows=True)
    assert batch.source_file == name
    assert batch.crc32c == google_crc32c.value(source.read_bytes())
    quarantined = list(client.quarantined_rows(batch.name, page_size=17))
    assert len(quarantined) == batch.quarantined_rows == batch.total_rows - batch.valid_rows > 0
    # Every quarantined row is in the file where it says; what is left, with the header, are the valid rows.
    content = source.read_bytes()
    for row in quarantined:
        assert content[row.byte_offset :].startswith(row.raw_row)
        assert row.violations
    client.download_batch_file(batch.file("valid.csv").name, tmp_path)
    valid = (tmp_path / "valid.csv").read_bytes()
    assert client.validate_file(valid).valid_rows == batch.valid_rows
    assert batch in list(client.list_batches(page_size=2))


@pytest.mark.parametrize(
    ("body", "judging", "reason"),
    [
        (LANGUAGE, {"schema": "nothing"}, "SCHEMA_UNKNOWN"),
        (LANGUAGE, {"schema": "language_session", "schema_version": "9.9"}, "SCHEMA_UNKNOWN"),
        (b"a,b\n1,2\n", {}, "HEADER_REFUSED"),
        (b"", {}, "INPUT_REFUSED"),
        (LANGUAGE.replace(b"rating", b"new"), {"strict": True}, "HEADER_REFUSED"),
        (LANGUAGE, {"delimiter": "x"}, "INVALID_REQUEST"),
    ],
)
def test_a_refusal_is_raised_with_its_reason_and_a_hint(client, body, judging, reason):
    with pytest.raises(errors.InvalidRequest) as caught:
        client.validate_file(body, **judging)
    assert caught.value.reason == reason
    assert caught.value.hint


def test_a_refused_header_of_a_long_file_keeps_its_reason(client):
    for _ in range(5):
        with pytest.raises(errors.InvalidRequest) as caught:
            client.validate_file(b"a,b\n" + b"1,2\n" * 10_000_000)
        assert caught.value.reason == "HEADER_REFUSED"


def test_a_uri_outside_the_roots_is_refused(client):
    with pytest.raises(errors.InvalidRequest) as caught:
        client.validate_uri("file:///etc/passwd")
    assert caught.value.reason == "URI_REFUSED"


def test_a_request_id_is_one_batch_and_no_other_request(client, shells):
    name = f"clients-{shells.kind}"
    batch = client.validate_file(LANGUAGE + rows(3), request_id=name)
    assert client.validate_file(LANGUAGE + rows(3), request_id=name) == batch
    with pytest.raises(errors.InvalidRequest) as caught:
        client.validate_file(LANGUAGE + rows(4), request_id=name)
    assert caught.value.reason == "REQUEST_ID_REUSED"


def test_a_batch_that_is_not_there(client):
    with pytest.raises(errors.NotFound) as caught:
        client.get_batch("00000000-0000-7000-8000-000000000000")
    assert caught.value.reason == "BATCH_NOT_FOUND"


def test_schemas_are_the_ones_that_validation_uses(client):
    names = [schema.name for schema in client.list_schemas(kind=SchemaKind.CSV)]
    assert names == [
        "schemas/language_session/versions/1.0",
        "schemas/language_session/versions/1.1",
        "schemas/mentorship_session/versions/1.0",
    ]
    newest = client.get_schema("language_session")
    assert newest.name == names[1]
    assert set(json.loads(newest.document)["properties"]) == {
        column.name for column in newest.columns
    }
    assert client.detect_schema([column.name for column in newest.columns]).schema == names[1]
    payloads = [schema.name for schema in client.list_schemas(kind=SchemaKind.PAYLOAD)]
    assert "schemas/buddy_match/versions/1.0" in payloads
    assert {schema.name for schema in client.list_schemas()} > {*names, *payloads}


def test_a_backup_is_made_watched_and_listed(client):
    operation = client.create_backup(description="by the client")
    seen = list(operation.watch(timeout_s=60))
    assert seen[-1].done
    assert seen[-1].progress.backup == seen[-1].state.response.name
    backup = operation.result(timeout_s=10)
    assert backup.description == "by the client"
    assert client.get_backup(backup.name) == backup
    assert backup in list(client.list_backups())
    assert operation.name in [each.name for each in client.list_operations()]


def test_health_knows_its_components(client):
    health = client.health()
    assert health.state in (HealthState.HEALTHY, HealthState.DEGRADED)
    assert {"backup", "database", "repository"} <= {part.name for part in health.components}


def test_a_daemon_that_is_killed_in_mid_upload_and_comes_back_makes_one_batch(
    shells, folder, tmp_path
):
    source = tmp_path / "rows.csv"
    source.write_bytes(LANGUAGE + rows(100_000, bad_every=9) * 10)
    address = f"unix://{folder}/steward.sock"
    daemon = Daemon(folder / "data", "--listen", address, environment=NO_DATABASE).start()
    restarting = threading.Thread(target=daemon.start)
    accepted = []

    def progress(event):
        # Killed from in here, it cannot be killed too late, however loaded the machine is: what sends has to share the
        # interpreter with this.
        if isinstance(event, Accepted):
            accepted.append(event)
            if len(accepted) == 1:
                daemon.kill()
                restarting.start()

    try:
        patient = RetryPolicy(attempts=60, initial_delay_s=0.2, max_delay_s=1.0)
        client = shells(address, retry=patient)
        batch = client.validate_file(source, progress=progress)
        assert len(accepted) == 2
        assert batch.total_rows == 1_000_000
        assert [each.name for each in client.list_batches()] == [batch.name]
    finally:
        if accepted:
            restarting.join()
        daemon.stop()


def test_the_command_does_the_whole_job(served, examples, tmp_path):
    ended = steward(
        served,
        "validate",
        *(examples / name for name in SAMPLES),
        "--valid-out",
        tmp_path,
        "--output",
        "json",
    )
    assert ended.returncode == 1, ended.stderr
    outcomes = json.loads(ended.stdout)["files"]
    assert [outcome["exit_code"] for outcome in outcomes] == [1, 1, 1]
    again = steward(served, "validate", *(outcome["valid_out"] for outcome in outcomes))
    assert again.returncode == 0, again.stderr
    name = outcomes[0]["batch"]["name"]
    shown = steward(served, "quarantine", "show", name, "--output", "json").stdout.splitlines()
    assert len(shown) == outcomes[0]["batch"]["quarantined_rows"]
    made = steward(
        served, "backup", "create", "--description", "by the command", "--output", "json"
    )
    assert made.returncode == 0, made.stderr
    listed = json.loads(steward(served, "backup", "list", "--output", "json").stdout)["backups"]
    assert json.loads(made.stdout) in listed
    assert steward(served, "health").returncode in (0, 1)
    assert steward(served, "schema", "detect", examples / SAMPLES[1]).stdout.endswith(
        "language_session 1.1\n"
    )


def test_the_command_refuses_with_what_is_missing_and_what_to_do(served, tmp_path):
    (tmp_path / "x.csv").write_text("session_id,rating\n1,0.5\n")
    ended = steward(served, "validate", "x.csv", cwd=tmp_path)
    assert ended.returncode == 3
    assert "participant_email" in ended.stderr
    assert "[HEADER_REFUSED]\n  next: " in ended.stderr


def test_ctrl_c_in_mid_upload_publishes_nothing(served):
    before = json.loads(steward(served, "batch", "list", "--output", "json").stdout)
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [*ARGV, "validate", "-"],
        env={**os.environ, "STEWARD_SERVER": served.address},
        stdin=reading,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(reading)
    with os.fdopen(writing, "wb", buffering=0) as pipe:
        pipe.write(LANGUAGE + rows(20_000))
        time.sleep(1.0)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "nothing was published" in said
    assert json.loads(steward(served, "batch", "list", "--output", "json").stdout) == before
