"""What the command shows of batches, their rows, schemas and health, as somebody runs it."""

import gzip
import json
import os
import re

import pytest
from steward.v1 import system_pb2

from tests.unit.client.on_a_daemon.noted import NOTE


@pytest.fixture
def batch(client):
    return client.validate_file(
        b"id,rating,extra\na,0.5,\nb,7,\nc,8,\n", keep_valid_rows=True, source_file="n.csv"
    )


def test_batches_are_listed_and_shown(steward, batch):
    assert batch.name in steward("batch", "list").stdout
    listed = json.loads(steward("batch", "list", "--output", "json").stdout)
    assert listed["batches"][0]["name"] == batch.name
    shown = steward("batch", "show", batch.name)
    assert "n.csv: 2 of 3 rows in quarantine" in shown.stdout
    assert "unknown columns, kept and not judged: extra" in shown.stdout
    assert "valid.csv" in shown.stdout
    assert (
        json.loads(steward("batch", "show", batch.name, "--output", "json").stdout)["total_rows"]
        == 3
    )


def test_an_empty_list_says_how_to_begin(steward, server):
    def empty(listed):
        listed.Clear()
        return listed

    for method in ("ListBatches", "ListBackups"):
        server.changes[method] = empty
    assert "steward validate FILE" in steward("batch", "list").stdout
    assert "steward backup create" in steward("backup", "list").stdout
    assert json.loads(steward("backup", "list", "--output", "json").stdout) == {"backups": []}
    assert steward("operation", "list").returncode == 0


def test_the_limit_of_a_list_holds(steward, client):
    for _ in range(3):
        client.validate_file(b"id\n1\n")
    assert (
        len(
            json.loads(steward("batch", "list", "--limit", 2, "--output", "json").stdout)["batches"]
        )
        == 2
    )


def test_files_of_a_batch_are_downloaded(steward, server, batch, tmp_path):
    ended = steward("batch", "download", batch.name, "--to", "out")
    assert ended.returncode == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "records.jsonl",
        "report.json",
        "errors.csv",
        "valid.csv",
    }
    one = steward("batch", "download", batch.name, "valid.csv", "--output", "json")
    assert json.loads(one.stdout)["files"][0]["path"] == "valid.csv"
    assert (tmp_path / "valid.csv").read_bytes() == b"id,rating,extra\na,0.5,\n"
    missing = steward("batch", "download", batch.name, "nothing.csv")
    assert missing.returncode == 3
    has = ", ".join(each.file for each in batch.files)
    assert f"it has: {has}" in missing.stderr


def test_quarantined_rows_are_shown(steward, batch):
    shown = steward("quarantine", "show", batch.name, "--limit", 1)
    assert "rating   maximum   7" in shown.stdout
    assert "these are the first 1" in shown.stdout
    lines = steward("quarantine", "show", batch.name, "--output", "json").stdout.splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["row_number"] for row in rows] == [2, 3]
    assert rows[0]["cells"][0] == {"column": "id", "value": "b"}
    assert rows[0]["raw_row"] == "b,7,"


def test_a_row_that_is_no_text_is_given_in_base64(steward, server, batch):
    def spoil(listed):
        listed.rows[0].raw_row = b"\xff,7,"
        return listed

    server.changes["ListQuarantinedRows"] = spoil
    row = json.loads(
        steward("quarantine", "show", batch.name, "--output", "json").stdout.splitlines()[0]
    )
    assert (row["raw_row"], row["raw_row_base64"]) == (None, "/yw3LA==")


def test_schemas_are_listed_and_shown(steward):
    listed = steward("schema", "list").stdout
    assert re.search(r"^note +1.0 +csv +2025-01-01 +2$", listed, re.MULTILINE)
    schemas = json.loads(steward("schema", "list", "--output", "json").stdout)["schemas"]
    [note] = [each for each in schemas if each["name"] == "schemas/note/versions/1.0"]
    assert note["columns"][0] == {"name": "id", "required": True, "pii": False}
    assert "personal data" in steward("schema", "show", "note").stdout
    assert json.loads(steward("schema", "show", "note", "1.0", "--document").stdout) == NOTE
    shown = json.loads(steward("schema", "show", "note", "--output", "json").stdout)
    assert shown["document"] == NOTE


@pytest.mark.parametrize(
    "content",
    [
        b"id,rating,extra\n1,2,3\n",
        b"\xef\xbb\xbfid;rating;extra\r\n1;2;3\r\n",
        b'"id"\t rating\t"extra"\n',
        b"id|rating|extra\r1|2|3",
        "id,rating,extra\n1,2,3\n".encode("utf-16"),
        gzip.compress(b"id,rating,extra\n" + os.urandom(3_000_000)),
        b"id,rating,extra\n\xff\xfe\xfd,1,2\n",
        b"sep=;\nid;rating;extra\n",
        b'\xef\xbb\xbf"sep=|"\r\nid|rating|extra\r\n',
        b"sep=\t\nid\trating\textra\n",
    ],
)
def test_a_header_is_read_and_its_schema_told(steward, tmp_path, content):
    (tmp_path / "f.csv").write_bytes(content)
    ended = steward("schema", "detect", "f.csv", "--output", "json")
    told = json.loads(ended.stdout)
    # Names are sent as they stand; how they count the daemon says.
    assert [name.strip() for name in told.pop("columns")] == ["id", "rating", "extra"]
    assert told == {
        "file": "f.csv",
        "schema": "schemas/note/versions/1.0",
        "unknown_columns": ["extra"],
        "missing_optional_columns": [],
        "similar_columns": {},
    }
    assert "note 1.0" in steward("schema", "detect", "f.csv").stdout


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"x" * 200_000, id="long"),
        b"\x1f\x8b\x08\x00 broken, not gzip at all",
        b"",
        b"\n\n",
        b"\x28\xb5\x2f\xfd....",
        b"\xff,\xff\n",
        b"rating\n",
    ],
)
def test_a_header_that_cannot_be_told_exits_3(steward, tmp_path, content):
    (tmp_path / "f.csv").write_bytes(content)
    ended = steward("schema", "detect", "f.csv")
    assert ended.returncode == 3
    assert "next: " in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (system_pb2.HealthResponse.STATE_HEALTHY, 0),
        (system_pb2.HealthResponse.STATE_DEGRADED, 1),
        (system_pb2.HealthResponse.STATE_DOWN, 3),
    ],
)
def test_health_is_told_by_the_exit_code(steward, server, state, code):
    def tell(health):
        del health.components[:]
        health.state = state
        database = health.components.add(name="database", state=state, detail="it is so")
        database.database.server_version = "18.1"
        database.database.embedded = True
        healthy = system_pb2.HealthResponse.STATE_HEALTHY
        health.components.add(name="repository", state=healthy).repository.free_bytes = 3 << 30
        health.components.add(name="backup", state=healthy).backup.last_backup = "backups/7"
        return health

    server.changes["Health"] = tell
    ended = steward("health")
    assert ended.returncode == code
    assert ("PostgreSQL 18.1 (embedded)" if code == 0 else "it is so") in ended.stdout
    assert "3.0 GiB free" in ended.stdout
    assert "last backups/7" in ended.stdout
    assert len(json.loads(steward("health", "--output", "json").stdout)["components"]) == 3


def test_a_notice_of_what_is_healthy_is_shown_and_costs_no_exit_code(steward, server):
    def tell(health):
        del health.components[:]
        health.state = healthy = system_pb2.HealthResponse.STATE_HEALTHY
        health.components.add(
            name="backup", state=healthy, detail="there is no backup yet"
        ).backup.running = 1
        return health

    server.changes["Health"] = tell
    ended = steward("health")
    assert ended.returncode == 0
    assert "1 running; there is no backup yet" in ended.stdout
