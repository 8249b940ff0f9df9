"""Requests that no client of ours would send: every one gets its reason and hint, none an INTERNAL or a torn stream."""

import time

import grpc
import pytest
from google.longrunning import operations_pb2, operations_pb2_grpc
from google.protobuf.duration_pb2 import Duration
from steward.v1 import backup_pb2, backup_pb2_grpc, validation_pb2, validation_pb2_grpc

from tests.acceptance.conftest import LANGUAGE, refusal_of, refused
from tests.support.calls import Request, channel, opening, upload, validate
from tests.support.daemon import Daemon

UNUSED = "00000000-0000-7000-8000-000000000000"
NO_ID = "ffffffff-ffff-ffff-ffff-ffffffffffff"
FAR_FUTURE = "ffffffff-ffff-7fff-bfff-ffffffffffff"


@pytest.fixture
def stubs(daemon):
    with channel(daemon.address) as opened:
        yield {
            "validation": validation_pb2_grpc.ValidationServiceStub(opened),
            "backup": backup_pb2_grpc.BackupServiceStub(opened),
            "operations": operations_pb2_grpc.OperationsStub(opened),
        }


def test_an_error_that_quotes_a_long_text_still_arrives(daemon, stubs):
    long = "x" * 1_000_000
    said = refusal_of(daemon.address, upload(LANGUAGE, schema_version=long))
    assert (said.code, said.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "SCHEMA_UNKNOWN")
    doubled = b"%s,%s\n" % (b"y" * 20_000, b"y" * 20_000)
    assert refusal_of(daemon.address, upload(doubled)).reason == "HEADER_REFUSED"
    with refused() as found:
        stubs["backup"].CreateBackup(backup_pb2.CreateBackupRequest(database=long))
    assert found[0].reason == "DATABASE_UNKNOWN"
    assert found[0].message.startswith("there is no database 'xxx")
    assert len(found[0].message) < 1100


def test_an_error_in_characters_of_many_bytes_arrives(daemon):
    name = "\N{SNOWMAN}" * 10_000
    said = refusal_of(daemon.address, upload(f"{name},{name}\n".encode()))
    assert said.reason == "HEADER_REFUSED"


@pytest.mark.parametrize("token", ["9" * 5000, "-1", "1e3", "\N{SUPERSCRIPT TWO}"])
def test_a_forged_token_of_the_schemas(stubs, token):
    with refused() as found:
        stubs["validation"].ListSchemas(validation_pb2.ListSchemasRequest(page_token=token))
    assert (found[0].code, found[0].fields) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        ("page_token",),
    )


def test_a_wait_longer_than_any_clock_counts(stubs):
    operations = stubs["operations"]
    started = stubs["backup"].CreateBackup(backup_pb2.CreateBackupRequest())
    for timeout in (Duration(seconds=2**62), Duration(seconds=315_576_000_000)):
        request = operations_pb2.WaitOperationRequest(name=started.name, timeout=timeout)
        assert operations.WaitOperation(request, timeout=60).done
    with refused() as found:
        operations.WaitOperation(
            operations_pb2.WaitOperationRequest(
                name=started.name, timeout=Duration(seconds=-(2**62))
            )
        )
    assert found[0].fields == ("timeout",)


def test_what_the_contract_has_and_the_daemon_does_not_serve_is_unimplemented(stubs):
    with refused() as found:
        stubs["operations"].DeleteOperation(
            operations_pb2.DeleteOperationRequest(name=f"operations/{UNUSED}")
        )
    assert (found[0].code, found[0].reason) == (grpc.StatusCode.UNIMPLEMENTED, "NOT_SERVED")


@pytest.mark.parametrize("identifier", [UNUSED, NO_ID, FAR_FUTURE])
def test_a_name_of_the_right_form_that_names_nothing_is_not_found(stubs, identifier):
    calls = (
        lambda: stubs["validation"].GetBatch(
            validation_pb2.GetBatchRequest(name=f"batches/{identifier}")
        ),
        lambda: stubs["backup"].GetBackup(
            backup_pb2.GetBackupRequest(name=f"backups/{identifier}")
        ),
        lambda: stubs["operations"].GetOperation(
            operations_pb2.GetOperationRequest(name=f"operations/{identifier}")
        ),
    )
    for call in calls:
        with refused() as found:
            call()
        assert found[0].code is grpc.StatusCode.NOT_FOUND


def test_detection_reads_a_name_as_the_engine_does(daemon, stubs):
    """A byte-order mark before the first name, and blanks around any, do not make a column unknown."""
    columns = LANGUAGE.decode().strip().split(",")
    columns = ["\N{ZERO WIDTH NO-BREAK SPACE}" + columns[0], *columns[1:-1], f" {columns[-1]}\t"]
    detected = stubs["validation"].DetectSchema(validation_pb2.DetectSchemaRequest(columns=columns))
    assert detected.schema == "schemas/language_session/versions/1.0"
    assert list(detected.unknown_columns) == []
    batch = validate(daemon.address, upload(",".join(columns).encode() + b"\n"))
    assert list(batch.unknown_columns) == []


def test_a_file_read_by_its_uri_is_named_as_it_is_on_the_disk(daemon, inbox):
    (inbox / "séance ☃.csv").write_bytes(LANGUAGE)
    messages = [
        opening(source_file="", uri=f"file://{inbox}/s%C3%A9ance%20%E2%98%83.csv"),
        Request(commit=Request.Commit()),
    ]
    assert validate(daemon.address, messages).source_file == "séance ☃.csv"


def test_an_upload_that_never_ends_is_ended_and_bounds_of_the_engine_are_settings(folder):
    environment = {
        "STEWARDD_POSTGRES__DATABASES__MAIN__URL": "postgresql://nobody@127.0.0.1:1/nothing",
        "STEWARDD_VALIDATION__MAX_UPLOAD_S": "1.5",
        "STEWARDD_VALIDATION__MAX_HEADER_BYTES": "100",
        "STEWARDD_VALIDATION__MAX_FIELD_BYTES": "50",
    }

    def dripping():
        yield opening()
        yield Request(chunk=Request.Chunk(data=LANGUAGE))
        for _ in range(200):
            time.sleep(0.1)
            yield Request(chunk=Request.Chunk())

    with Daemon(folder / "data", environment=environment) as daemon:
        said = refusal_of(daemon.address, dripping())
        assert (said.code, said.reason) == (grpc.StatusCode.ABORTED, "UPLOAD_INCOMPLETE")
        assert "1.5 s" in said.message
        assert "validation.max_upload_s" in said.hint
        long = LANGUAGE.strip() + b"," + b"x" * 100 + b"\n"
        assert refusal_of(daemon.address, upload(long)).reason == "INPUT_REFUSED"
        row = b"%s,ana@example.org,bo@example.org,2025-03-01,0.5\n"
        body = LANGUAGE + row % (b"S" * 40) + row % (b"S" * 60)
        assert validate(daemon.address, upload(body)).quarantined_rows == 1
