"""The address of a daemon, and the options of a channel to it: sizes, keepalive, retries by service config."""

from __future__ import annotations

import ipaddress
import json
import re
from dataclasses import dataclass

from steward_client.errors import InvalidTarget

DEFAULT_PORT = 50551
DEFAULT_TARGET = f"localhost:{DEFAULT_PORT}"
MAX_MESSAGE_BYTES = 4 * 1024 * 1024

# Methods that may be sent twice: they read or wait, carry a request_id, or change nothing the second time.
_IDEMPOTENT = {
    "steward.v1.ValidationService": (
        "ValidatePayload","GetBatch", "ListBatches", "GetSchema", "ListSchemas", "DetectSchema"),
    "steward.v1.QuarantineService": (
        "ListQuarantinedRows", "GetQuarantinedRow", "GetQuarantineStats", "CorrectRow", "DiscardRows", "CreateExport",
        "ListExports", "RetryQuarantine", "PurgeQuarantine", "EraseSubject",
    ),
    "steward.v1.BackupService": (
        "CreateBackup", "CopyBackup", "ImportBackup", "GetBackup", "ListBackups", "DeleteBackup", "UndeleteBackup",
        "PinBackup", "UnpinBackup", "GetRetentionPlan", "PruneBackups", "GetBackupKeys", "VerifyBackup", "RunDrill",
        "ListDrills", "GetRestorePlan", "RestoreBackup", "ReencryptBackups",
    ),
    "steward.v1.ScheduleService": (
        "CreateSchedule", "GetSchedule", "ListSchedules", "UpdateSchedule",
    ),
    "steward.v1.DatabaseService": (
        "GetDatabase", "ListDatabases", "ResetCircuitBreaker", "ForceOpenCircuitBreaker",
    ),
    "steward.v1.MigrationService": (
        "GetMigrationStatus", "ListMigrations", "ApplyMigrations", "RollBackMigrations", "ProveMigrations",
        "DetectDrift", "LintMigrations", "RenderDiagram", "RepairMigration",
    ),
    "steward.v1.SystemService": ("Health",),
    "google.longrunning.Operations": ("GetOperation", "ListOperations", "WaitOperation"),
}  # fmt: skip

SERVICE_CONFIG = json.dumps(
    {
        "methodConfig": [
            {
                "name": [
                    {"service": service, "method": method}
                    for service, methods in _IDEMPOTENT.items()
                    for method in methods
                ],
                "retryPolicy": {
                    "maxAttempts": 4,
                    "initialBackoff": "0.1s",
                    "maxBackoff": "2s",
                    "backoffMultiplier": 2,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        ]
    }
)

_HOST_PORT = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?")


@dataclass(frozen=True, slots=True)
class Target:
    """An address that gRPC understands, and whether it stays on this machine."""

    address: str
    is_local: bool

    @classmethod
    def parse(cls, text: str) -> Target:
        """Reads `HOST`, `HOST:PORT`, `[IPv6]:PORT`, `unix:PATH` or `unix:///PATH`; without a port it is 50551.

        Raises InvalidTarget.

        >>> Target.parse("localhost")
        Target(address='localhost:50551', is_local=True)
        >>> Target.parse("unix:///run/steward.sock").is_local
        True
        """
        text = text.strip()
        if text.startswith(("unix:", "unix-abstract:")):
            if not text.partition(":")[2].strip("/"):
                raise InvalidTarget(f"{text!r} names no socket")
            return cls(text, is_local=True)
        match = _HOST_PORT.fullmatch(text)
        if match is None or not 0 < int(match["port"] or DEFAULT_PORT) < 65536:
            raise InvalidTarget(f"{text!r} is no address of a daemon")
        return cls(f"{match['host']}:{match['port'] or DEFAULT_PORT}", _is_loopback(match["host"]))


def _is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def options(target: Target) -> list[tuple[str, int | str]]:
    """Returns the channel's arguments.

    A ping every 20 s keeps a silent stream alive through proxies and firewalls, and notices a peer that is gone;
    the daemon allows one every 10 s. gRPC's own bound of two pings without data is lifted: waiting for an
    operation sends nothing.
    """
    return [
        ("grpc.service_config", SERVICE_CONFIG),
        ("grpc.enable_retries", 1),
        ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        ("grpc.keepalive_time_ms", 20_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.initial_reconnect_backoff_ms", 200),
        # In spite of its name: how long one attempt may take, with its TLS and HTTP/2 handshakes. A machine that is
        # loaded or far away needs more than the 200 ms of the line above, and would be taken for one without a daemon.
        ("grpc.min_reconnect_backoff_ms", 5_000),
        ("grpc.max_reconnect_backoff_ms", 5_000),
        # A proxy that the environment names is for addresses on other machines.
        ("grpc.enable_http_proxy", 0 if target.is_local else 1),
        # Each client has a connection of its own, and closing it closes that.
        ("grpc.use_local_subchannel_pool", 1),
    ]
