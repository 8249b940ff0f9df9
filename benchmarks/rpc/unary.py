"""ValidatePayload over loopback, with 32 calls in flight, beside calls that judge nothing on the same stack (bare.py).

A rate is calls by CPU seconds of the server, whose kernel counts all of its threads: client and server share the
machine, and a client that is slower than the server would hide what a call costs.
"""

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from steward.v1 import validation_pb2

from benchmarks.rpc.servers import printed_address, running, served

PAYLOAD_BYTES = 1024
SCHEMA = "schemas/ecornell_webhook"
SERVICE = "/steward.v1.ValidationService/"
EMPTY, TAKEN, VALID, INVALID, DETECTED = "empty", "taken", "valid", "invalid", "detected"


@dataclass(slots=True)
class CallRates:
    """What calls of one kind cost, of every round."""

    cpu_s: list[float] = field(default_factory=list)
    elapsed_s: list[float] = field(default_factory=list)

    @property
    def call_cpu_s(self) -> float:
        """CPU seconds of the server for a call, the median."""
        return median(self.cpu_s)

    @property
    def per_second(self) -> float:
        """Calls a second of the clock, the median."""
        return 1 / median(self.elapsed_s)


def payload(*, valid: bool) -> bytes:
    """Return a payload of 1 KiB; one that is not valid breaks three rules."""
    moment = "2025-11-13T10:00:00Z"
    document: dict[str, Any] = {
        "event_type": "course.completed",
        "event_id": "ec-",
        "timestamp": moment,
        "user": {
            "external_id": "u-77",
            "email": "ana@example.org" if valid else "ana at example.org",
            "first_name": "Ana",
            "last_name": "Silva",
        },
        "course": {
            "course_id": "LSM501",
            "course_name": "Leadership ",
            "course_url": "https://ecornell.example/LSM501",
        },
        "progress": {
            "status": "completed" if valid else "complete",
            "percent_complete": 100 if valid else 101,
            "started_at": moment,
            "completed_at": moment,
        },
        "certificate": {
            "certificate_id": "crt-",
            "certificate_url": "https://ecornell.example/crt-9",
            "issued_at": moment,
        },
    }
    for members, name in (
        (document, "event_id"),
        (document["course"], "course_name"),
        (document["certificate"], "certificate_id"),
    ):
        missing_bytes = PAYLOAD_BYTES - len(json.dumps(document))
        members[name] += "9" * max(0, min(missing_bytes, 250 - len(members[name])))
    return json.dumps(document).encode()


def requests() -> dict[str, tuple[str, bytes]]:
    """Return the method and the message of every kind of call."""

    def request(schema: str, *, valid: bool) -> bytes:
        message = validation_pb2.ValidatePayloadRequest(payload=payload(valid=valid), schema=schema)
        return message.SerializeToString()

    judged = SERVICE + "ValidatePayload"
    return {
        EMPTY: (SERVICE + "GetBatch", b""),
        TAKEN: (judged, request(SCHEMA, valid=True)),
        VALID: (judged, request(SCHEMA, valid=True)),
        INVALID: (judged, request(SCHEMA, valid=False)),
        DETECTED: (judged, request("", valid=True)),
    }


def cpu_s(process: "subprocess.Popen[str]") -> float:
    """Return the CPU seconds of a process so far."""
    fields = (
        Path(f"/proc/{process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    )
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def call_rates(folder: Path, calls: int, rounds: int) -> dict[str, CallRates]:
    """Measure every kind of call in turn, so many times; the first turn does not count."""
    rates = {kind: CallRates() for kind in requests()}
    with ExitStack() as stack:
        bare = stack.enter_context(
            running(
                subprocess.Popen(
                    [sys.executable, "-m", "benchmarks.rpc.bare"],
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
        )
        bare_address = printed_address(bare)
        daemon, daemon_address = stack.enter_context(served(folder))
        for number in range(rounds + 1):
            for kind, (method, message) in requests().items():
                is_bare = kind in (EMPTY, TAKEN)
                process, address = (bare, bare_address) if is_bare else (daemon, daemon_address)
                before_s = cpu_s(process)
                elapsed_s = call_s(address, method, message, calls)
                if number > 0:
                    rates[kind].cpu_s.append((cpu_s(process) - before_s) / calls)
                    rates[kind].elapsed_s.append(elapsed_s / calls)
    return rates


def call_s(address: str, method: str, message: bytes, calls: int) -> float:
    """Make so many calls with a client of its own process; return the seconds of the clock."""
    argv = [sys.executable, "-m", "benchmarks.rpc.calling", address, method, str(calls)]
    done = subprocess.run(argv, input=message, stdout=subprocess.PIPE, check=True)
    return float(json.loads(done.stdout)["elapsed_s"])
