"""Addresses, and how a channel is set."""

import json

import pytest
from steward.v1 import (
    backup_pb2,
    database_pb2,
    migration_pb2,
    quarantine_pb2,
    schedule_pb2,
    system_pb2,
    validation_pb2,
)
from steward_client.connection import channel
from steward_client.connection.channel import Target
from steward_client.errors import InvalidTarget


@pytest.mark.parametrize(
    ("text", "address", "is_local"),
    [
        ("localhost:1234", "localhost:1234", True),
        ("localhost", "localhost:50551", True),
        ("127.0.0.1:80", "127.0.0.1:80", True),
        ("[::1]:80", "[::1]:80", True),
        ("steward.internal", "steward.internal:50551", False),
        ("10.0.0.7:50551", "10.0.0.7:50551", False),
        ("unix:///run/s.sock", "unix:///run/s.sock", True),
        ("unix:s.sock", "unix:s.sock", True),
    ],
)
def test_an_address_is_read(text, address, is_local):
    assert Target.parse(text) == Target(address, is_local)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "http://localhost:1",
        "localhost:",
        "localhost:0",
        "localhost:65536",
        "a b",
        "unix:",
        "unix:///",
        "::1",
    ],
)
def test_what_is_no_address_is_refused_with_a_hint(text):
    with pytest.raises(InvalidTarget) as caught:
        Target.parse(text)
    assert "HOST:PORT" in caught.value.hint


WITH_A_REQUEST_ID = {
    "ApplyMigrations",
    "CopyBackup",
    "CreateBackup",
    "CreateExport",
    "DetectDrift",
    "EraseSubject",
    "ImportBackup",
    "LintMigrations",
    "ProveMigrations",
    "PruneBackups",
    "PurgeQuarantine",
    "ReencryptBackups",
    "RestoreBackup",
    "RetryQuarantine",
    "RollBackMigrations",
    "RunDrill",
    "VerifyBackup",
}
CHANGING_NOTHING_A_SECOND_TIME = {
    "CorrectRow",
    "CreateSchedule",  # the second one is told that the first is there
    "DeleteBackup",
    "DiscardRows",
    "ForceOpenCircuitBreaker",
    "PinBackup",
    "RenderDiagram",
    "RepairMigration",
    "ResetCircuitBreaker",
    "UndeleteBackup",
    "UnpinBackup",
    "UpdateSchedule",
    "ValidatePayload",
}


def test_only_methods_that_exist_and_harm_nothing_are_sent_again():
    names = json.loads(channel.SERVICE_CONFIG)["methodConfig"][0]["name"]
    files = (
        validation_pb2,
        quarantine_pb2,
        backup_pb2,
        schedule_pb2,
        database_pb2,
        migration_pb2,
        system_pb2,
    )
    served = {
        (service.full_name, method.name)
        for file in files
        for service in file.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }
    for name in names:
        if name["service"] != "google.longrunning.Operations":
            assert (name["service"], name["method"]) in served
        assert (
            name["method"].startswith(("Get", "List", "Health", "Wait", "Detect"))
            or name["method"] in WITH_A_REQUEST_ID
            or name["method"] in CHANGING_NOTHING_A_SECOND_TIME
        )


def test_a_proxy_of_the_environment_is_not_asked_for_what_is_on_this_machine():
    assert ("grpc.enable_http_proxy", 0) in channel.options(Target.parse("localhost"))
    assert ("grpc.enable_http_proxy", 1) in channel.options(Target.parse("steward.example.org"))
