"""A daemon is driven through every method, through work and through failures; all that it measures was declared."""

import math
import threading
from importlib.metadata import version
from typing import Any

import grpc
import pytest
from google.longrunning import operations_pb2, operations_pb2_grpc
from google.protobuf import descriptor_pool
from steward.v1 import (
    backup_pb2,
    backup_pb2_grpc,
    database_pb2,
    migration_pb2,
    operation_pb2,
    quarantine_pb2,
    quarantine_pb2_grpc,
    schedule_pb2,
    schedule_pb2_grpc,
    system_pb2,
    validation_pb2_grpc,
)
from steward.v1 import validation_pb2 as v
from stewardd.backup.progress import BackupPhase
from stewardd.metrics.catalogue import CATALOGUE
from stewardd.metrics.metric import Kind
from stewardd.operations.kinds import KINDS, LANES
from stewardd.rpc.server import methods

from tests.acceptance.conftest import LANGUAGE, rows
from tests.acceptance.test_health import SERVICES
from tests.support.calls import Request, channel, crc32c, opening, responses, upload, validate
from tests.support.daemon import Daemon
from tests.support.waiting import wait_until
from tests.support.web import WEB, scrape, value

# What must never be a label, though the daemon has heard it.
SECRETS = ("ana1@example.org", "bo@example.org", "secret-file", "marker", "127.0.0.1")
# Their services are known once their modules are.
FILES = (database_pb2, migration_pb2, operation_pb2, schedule_pb2, system_pb2)
METHODS = methods(SERVICES)
STREAMS = {False: "unary", True: "stream"}
MARKED = b"marker-cell"


@pytest.fixture(scope="module")
def driven(session_folder):
    environment = {
        **WEB,
        "STEWARDD_WEB__COUNT_INTERVAL_S": "0.2",
        "STEWARDD_BACKUP__COPIES__URL": str(session_folder / "copies-of-metrics"),
    }
    with Daemon(session_folder / "metrics", environment=environment) as daemon:
        ask_every_method(daemon.address)
        batch = work(daemon.address)
        fail(daemon.address)
        yield daemon, batch


def ask_every_method(address):
    """Every method of the contract, with an empty message: most refuse it, each in its own way."""
    with channel(address) as open_channel:
        for method in METHODS:
            service, _, name = method.partition("/")
            client_streams, server_streams = True, True
            if not service.startswith("grpc.reflection."):
                found = descriptor_pool.Default().FindServiceByName(service).methods_by_name[name]
                client_streams, server_streams = found.client_streaming, found.server_streaming
            kind = f"{STREAMS[client_streams]}_{STREAMS[server_streams]}"
            ask: Any = getattr(open_channel, kind)(f"/{method}")
            try:
                answer = ask(iter([b""]) if client_streams else b"", timeout=1)
                if server_streams:
                    list(answer)
            except grpc.RpcError as error:
                assert error.code() is not grpc.StatusCode.UNKNOWN, method


def work(address):
    """A batch with bad rows, one of them corrected, one discarded, an export, a retry, a backup."""
    body = LANGUAGE + rows(100, bad_every=10) + b"S,ana1@example.org,bo@example.org,x," + MARKED
    batch = validate(address, upload(body, source_file="secret-file.csv", request_id="marker-one"))
    again = validate(address, upload(body, source_file="secret-file.csv", request_id="marker-one"))
    assert again.name == batch.name
    with channel(address) as open_channel:
        judge_payloads(open_channel)
        quarantine = quarantine_pb2_grpc.QuarantineServiceStub(open_channel)
        row = f"{batch.name}/rows"
        quarantine.CorrectRow(
            quarantine_pb2.CorrectRowRequest(
                name=f"{row}/10",
                cells=[quarantine_pb2.QuarantinedRow.Cell(column="rating", value="0.5")],
                actor="marker-actor",
            ),
            timeout=20,
        )
        quarantine.DiscardRows(
            quarantine_pb2.DiscardRowsRequest(
                parent=batch.name, row_numbers=[20], reason="marker-reason", actor="marker-actor"
            ),
            timeout=20,
        )
        done(
            open_channel,
            quarantine.RetryQuarantine(
                quarantine_pb2.RetryQuarantineRequest(parent=batch.name), timeout=20
            ),
        )
        done(
            open_channel,
            backup_pb2_grpc.BackupServiceStub(open_channel).CreateBackup(
                backup_pb2.CreateBackupRequest(description="marker-description"), timeout=20
            ),
        )
        schedule = schedule_pb2.Schedule(name="schedules/marker-schedule", cron="0 0 29 2 *")
        schedule_pb2_grpc.ScheduleServiceStub(open_channel).CreateSchedule(
            schedule_pb2.CreateScheduleRequest(schedule=schedule, actor="marker-actor"), timeout=20
        )
    return batch


def judge_payloads(open_channel):
    """A valid payload and two invalid ones, one by one, and a file of three with one invalid."""
    stub = validation_pb2_grpc.ValidationServiceStub(open_channel)
    valid = b'{"match_id": "0197c5d2-8a4b-7c31-9e0f-2b6d5a81c3f4", "mood": "good"}'
    invalid = b'{"match_id": "marker", "notes": "ana1@example.org"}'
    for payload in (valid, invalid, invalid):
        request = v.ValidatePayloadRequest(payload=payload, schema="schemas/buddy_checkin")
        assert stub.ValidatePayload(request, timeout=20).valid == (payload is valid)
    lines = b"\n".join((valid, invalid, valid))
    opened = v.ValidatePayloadsRequest.Open(
        schema="schemas/buddy_checkin", source_file="secret-file", upload=Request.Upload()
    )
    messages = (
        v.ValidatePayloadsRequest(open=opened),
        v.ValidatePayloadsRequest(chunk=Request.Chunk(data=lines)),
        v.ValidatePayloadsRequest(
            commit=Request.Commit(size_bytes=len(lines), crc32c=crc32c(lines))
        ),
    )
    (*_, last) = stub.ValidatePayloads(iter(messages), timeout=20)
    assert last.summary.batch.quarantined_rows == 1


def done(open_channel, operation):
    request = operations_pb2.WaitOperationRequest(name=operation.name)
    request.timeout.seconds = 60
    ended = operations_pb2_grpc.OperationsStub(open_channel).WaitOperation(request, timeout=70)
    assert ended.HasField("response"), ended


def fail(address):
    """Uploads that are cut, malformed, unknown or too large, and names that nothing has."""
    for messages in (
        [opening(source_file="secret-file"), Request(chunk=Request.Chunk(data=LANGUAGE))],
        [opening(schema="schemas/marker_schema")],
        [opening(uri="file:///etc/secret-file")],
        upload(b"marker-header;x\n1;2\n"),
    ):
        with pytest.raises(grpc.RpcError):
            list(responses(address, messages, 10))
    with channel(address) as open_channel:
        stub = validation_pb2_grpc.ValidationServiceStub(open_channel)
        with pytest.raises(grpc.RpcError):
            stub.GetBatch(v.GetBatchRequest(name="batches/ana1@example.org"), timeout=10)
        for method in ("steward.v1.ValidationService/GetBatch", "steward.v1.Marker/marker"):
            ask: Any = open_channel.unary_unary(f"/{method}")
            with pytest.raises(grpc.RpcError):
                ask(b"\xff\xff\xff", timeout=10)


def schema_names(address):
    with channel(address) as open_channel:
        stub = validation_pb2_grpc.ValidationServiceStub(open_channel)
        found = stub.ListSchemas(v.ListSchemasRequest(page_size=100), timeout=10).schemas
    return {schema.name.split("/")[1] for schema in found}


def vocabulary(address):
    """The values of the labels that declare none themselves, from where they come from."""
    return {
        "databases": {"embedded"},
        "components": {"database", "repository", "backup", "backup-copies"},
        "methods": set(METHODS),
        "schemas": schema_names(address) | {"other"},
        "operations": {kind.name for kind in KINDS},
        "lanes": set(LANES),
        "phases": {each.value.lower() for each in BackupPhase},
        "versions": {version("steward-daemon")},
        "actions": {"correct", "resubmit", "retry", "discard", "export", "purge", "erase"},
        "retire_reasons": {
            *("uses", "lifetime", "idle", "broken", "drained", "standby", "closed"),
        },
        "breaker_causes": {
            *("failures", "time_over", "database_seen", "probe_succeeded", "probe_failed"),
            *("reset", "forced"),
        },
        "breaker_states": {"closed", "open", "half_open", "forced_open"},
        "drain_reasons": {"broken", "outage", "standby", "retargeted", "asked"},
    }


def test_every_metric_and_every_value_of_a_label_was_declared(driven):
    daemon, _ = driven
    known = vocabulary(daemon.address)
    declared = {metric.name: metric for metric in CATALOGUE}
    for family in scrape(daemon.web_addresses[0]):
        name = family.name + ("_total" if family.type == "counter" else "")
        assert name in declared, name
        metric = declared[name]
        assert family.type == metric.kind.value, name
        allowed = {each.name: set(each.values) or known[each.source] for each in metric.labels}
        for sample in family.samples:
            labels = dict(sample.labels)
            if metric.kind is Kind.HISTOGRAM and sample.name.endswith("_bucket"):
                assert float(labels.pop("le")) in {*metric.bounds, math.inf}
            assert set(labels) == set(allowed), name
            for label, said in labels.items():
                assert said in allowed[label], f"{name}: {label}={said}"


def test_every_metric_of_the_catalogue_is_there(driven):
    daemon, _ = driven
    found = {
        family.name + ("_total" if family.type == "counter" else "")
        for family in scrape(daemon.web_addresses[0])
    }
    assert found == {metric.name for metric in CATALOGUE}


def test_nothing_that_a_client_sent_is_in_the_metrics(driven):
    daemon, batch = driven
    text = "\n".join(
        str(sample) for family in scrape(daemon.web_addresses[0]) for sample in family.samples
    )
    for secret in (*SECRETS, batch.name.partition("/")[2], str(daemon.data_dir)):
        assert secret not in text, secret


def test_every_method_was_counted_and_none_is_in_flight(driven):
    daemon, _ = driven
    samples = [sample for family in scrape(daemon.web_addresses[0]) for sample in family.samples]
    counted = {
        sample.labels["method"]
        for sample in samples
        if sample.name == "steward_rpc_calls_total" and sample.value > 0
    }
    assert counted == set(METHODS)
    in_flight = [each for each in samples if each.name == "steward_rpc_calls_in_flight"]
    assert {each.labels["method"] for each in in_flight} == set(METHODS)
    assert sum(each.value for each in in_flight) == 0


def test_the_numbers_are_right(driven):
    daemon, batch = driven
    found = {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in scrape(daemon.web_addresses[0])
        for sample in family.samples
    }
    schema = "language_session"
    assert found["steward_batch_rows_total", schema, "valid"] == batch.valid_rows == 90
    assert found["steward_batch_rows_total", schema, "quarantined"] == batch.quarantined_rows == 11
    assert found["steward_batches_published_total", schema] == 1
    payloads = "buddy_checkin"
    assert found["steward_payloads_total", payloads, "valid"] == 1
    assert found["steward_payloads_total", payloads, "invalid"] == 2
    assert found["steward_batch_rows_total", payloads, "valid"] == 2
    assert found["steward_batch_rows_total", payloads, "quarantined"] == 1
    assert found["steward_batches_published_total", payloads] == 1
    assert found["steward_batch_size_bytes_total", schema] == batch.size_bytes
    assert found["steward_uploads_total", "published"] == 2
    assert found["steward_uploads_total", "repeated"] == 1
    assert found["steward_uploads_total", "abandoned"] >= 2
    assert found["steward_upload_received_bytes_total",] >= 2 * batch.size_bytes + len(LANGUAGE)
    assert found["steward_batch_duration_seconds_count",] == 2
    assert found["steward_quarantine_commits_total", "correct"] == 1
    assert found["steward_quarantine_commits_total", "discard"] == 1
    assert found["steward_quarantine_closed_rows_total", "resolved"] == 1
    assert found["steward_quarantine_closed_rows_total", "discarded"] == 1
    assert found["steward_operations_total", "CreateBackup", "succeeded"] >= 1
    assert found["steward_operations_total", "RetryQuarantine", "succeeded"] == 1
    assert found["steward_operation_duration_seconds_count", "CreateBackup"] >= 1
    assert found["steward_backup_last_success_timestamp_seconds", "embedded"] > 1.7e9
    assert found["steward_backup_last_stored_bytes", "embedded"] > 0
    assert found["steward_backup_failures_since_success", "embedded"] == 0
    assert found["steward_rpc_refused_calls_total", "UPLOAD_INCOMPLETE"] >= 1
    assert found["steward_rpc_refused_calls_total", "SCHEMA_UNKNOWN"] == 1
    assert found["steward_rpc_refused_calls_total", "MALFORMED_MESSAGE"] >= 1
    assert found["steward_breaker_state", "embedded", "closed"] == 1
    assert found["steward_breaker_state", "embedded", "open"] == 0
    assert found["steward_pool_connections_bound", "max", "embedded"] == 20
    assert found["steward_repository_lease_valid",] == 1
    assert found["steward_repository_free_bytes",] > 0
    assert found["steward_repository_sweeps_total",] >= 1
    assert found["steward_build_info", version("steward-daemon")] == 1


def test_open_rows_are_counted_again_and_again(driven):
    daemon, _ = driven
    address, schema = daemon.web_addresses[0], {"schema": "language_session"}
    wait_until(lambda: value(address, "steward_quarantine_open_rows", **schema) == 9)
    assert value(address, "steward_quarantine_open_rows", schema="other") == 0
    assert value(address, "steward_quarantine_open_rows", schema="buddy_checkin") == 1
    assert value(address, "steward_quarantine_counted_batches") == 2
    first = value(address, "steward_quarantine_counted_timestamp_seconds")
    wait_until(lambda: value(address, "steward_quarantine_counted_timestamp_seconds") > first)


def test_calls_that_end_otherwise_are_counted_as_what_they_were(driven):
    daemon, _ = driven
    address = daemon.web_addresses[0]

    def count(code):
        return sum(
            sample.value
            for family in scrape(address)
            for sample in family.samples
            if sample.name == "steward_rpc_calls_total"
            and sample.labels
            == {"method": "steward.v1.ValidationService/ValidateBatch", "code": code}
        )

    cancelled = count("CANCELLED")
    with channel(daemon.address) as open_channel:
        stub = validation_pb2_grpc.ValidationServiceStub(open_channel)

        def silent():
            yield opening()
            waiting.wait(20)

        waiting = threading.Event()
        call = stub.ValidateBatch(silent())
        wait_until(lambda: in_flight(address) == 1)
        call.cancel()
        wait_until(lambda: count("CANCELLED") == cancelled + 1)
        with pytest.raises(grpc.RpcError):
            list(stub.ValidateBatch(silent(), timeout=0.5))
        wait_until(lambda: count("CANCELLED") == cancelled + 2)
        waiting.set()
    assert in_flight(address) == 0


def in_flight(address):
    return sum(
        sample.value
        for family in scrape(address)
        for sample in family.samples
        if sample.name == "steward_rpc_calls_in_flight"
    )
