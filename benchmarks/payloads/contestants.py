"""Who judges payloads: how each is run, what it checks and reports, and where its verdicts differ from ours.

A difference is `takes RULE` or `refuses RULE`: what it does, and we do not, with a value of that format or keyword.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks import install
from benchmarks.contestants import Contestant
from benchmarks.meter import Usage
from benchmarks.payloads.generate import SCHEMAS
from benchmarks.places import BUILD, PEERS

FOLDER = PEERS / "payloads"
NODE = FOLDER / "node"
ENGINE_CRATE = FOLDER / "rust" / "engine"
JSONSCHEMA_CRATE = FOLDER / "rust" / "jsonschema"
ENGINE_PROGRAM = BUILD / "payload-engine" / "release" / "payload-engine"
JSONSCHEMA_PROGRAM = BUILD / "payload-jsonschema" / "release" / "payload-jsonschema"

PYTHON_PEERS = {"jsonschema-rs": "0.61.2", "msgspec": "0.23.0", "orjson": "3.13.0"}

FLOATS = "Numbers are floats to it: 1.00000000000000000001 is at most 1."
CRATE_WHY = (
    "Its date-time takes the year 0000, lower-case t and z, and an offset of 16 hours; its e-mail takes a bare host, a "
    f"quoted local part and an address literal. {FLOATS}"
)
CRATE_DIFFERS = frozenset({"takes date-time", "takes email", "takes maximum"})


@dataclass(frozen=True, slots=True)
class PayloadJudge(Contestant):
    """A program that judges payloads."""

    program: tuple[str, ...] = ()
    """Its command, less the folder of the schemas, the file and the CPU seconds."""
    in_rust: bool = False
    formats: str = "its own"
    """Whose checks of formats it has."""
    errors: str = "all"
    """Which errors of a payload it reports."""
    known: frozenset[str] = frozenset()
    """How its verdicts are known to differ; `differs` says why."""


def pass_s(usage: Usage) -> float:
    """Return the CPU seconds of one pass over the file, which the program measures itself."""
    return float(usage.printed["cpu_s"]) / int(usage.printed["passes"])


def refused(_out: Path, printed: dict[str, Any]) -> int:
    """Return how many payloads the program refused."""
    return str(printed["verdicts"]).count("0")


def judging(program: tuple[str, ...], seconds: float) -> Callable[[Path, Path], tuple[str, ...]]:
    """Return the command that judges a file for so many CPU seconds; for none, it only gives the verdicts."""
    return lambda path, _out: (*program, str(SCHEMAS), str(path), str(seconds))


def timed(judge: PayloadJudge, seconds: float) -> PayloadJudge:
    """Return a contestant that judges a file for so many CPU seconds, at least once."""
    return replace(judge, command=judging(judge.program, seconds))


def _judge(
    name: str, key: str, program: tuple[str, ...], setting: str, *needs: str, **more: Any
) -> PayloadJudge:
    command = judging(program, 0)
    return PayloadJudge(
        name,
        key,
        command,
        setting,
        needs,
        counted=refused,
        cost_s=pass_s,
        program=program,
        **more,
    )


def _in_python(interpreter: str | Path, module: str) -> tuple[str, ...]:
    return (str(interpreter), "-m", f"benchmarks.peers.payloads.{module}")


ENGINE = _judge(
    "steward's engine, in Rust",
    "engine",
    (str(ENGINE_PROGRAM),),
    "`PayloadSchema::judge`, linked without Python; release, fat LTO, one codegen unit, as all Rust here",
    "payload-engine",
    in_rust=True,
)
SERDE = _judge(
    "serde_json + jsonschema",
    "serde",
    (str(JSONSCHEMA_PROGRAM), "serde"),
    "`from_slice` into a Value; `is_valid`, then `iter_errors` for an invalid payload",
    "jsonschema",
    in_rust=True,
    formats="the crate's",
    known=CRATE_DIFFERS,
    differs=CRATE_WHY,
)
SONIC = _judge(
    "sonic-rs + jsonschema",
    "sonic",
    (str(JSONSCHEMA_PROGRAM), "sonic"),
    "as above, with a Value of sonic-rs, which the crate walks as it is",
    "jsonschema",
    in_rust=True,
    formats="the crate's",
    known=CRATE_DIFFERS,
    differs=CRATE_WHY,
)
IN_PYTHON = _judge(
    "steward in Python",
    "python",
    _in_python(sys.executable, "with_fastcsv"),
    "`fastcsv.validate_payload`, a call a payload; the violations of an invalid one are read",
)
JSONSCHEMA_RS = _judge(
    "orjson + jsonschema-rs",
    "jsonschema-rs",
    _in_python(install.PYTHON, "with_jsonschema_rs"),
    "`loads`; `is_valid`, then `iter_errors` for an invalid payload",
    "jsonschema-rs",
    formats="the crate's",
    known=CRATE_DIFFERS,
    differs=CRATE_WHY,
)
MSGSPEC = _judge(
    "msgspec",
    "msgspec",
    _in_python(install.PYTHON, "with_msgspec"),
    "a JSON Decoder of Structs, which makes objects of what it reads",
    "msgspec",
    formats="its own of UUID and time; patterns for addresses and URLs",
    errors="the first",
    known=frozenset(
        {"takes date-time", "refuses date-time", "takes uuid", "refuses integer", "takes maximum"}
    ),
    differs="Its datetime takes a blank or a lower-case letter for T and Z and an offset of 16 hours, and refuses a "
    f"leap second; its UUID needs no hyphens; 60.0 and 6e1 are no integers to it. {FLOATS}",
)
AJV = _judge(
    "Ajv",
    "ajv",
    ("node", str(NODE / "judge.mjs"), "ajv"),
    "`JSON.parse`, the 2020 dialect, allErrors",
    "ajv",
    formats="those of ajv-formats, in full mode",
    known=frozenset({"takes date-time", "takes uuid", "takes maximum"}),
    differs="Its date-time takes the year 0000, a blank or a lower-case letter for T and Z, and an offset of 16 hours; "
    f"its uuid takes urn:uuid: in front. {FLOATS}",
)
ZOD = _judge(
    "Zod 4",
    "zod",
    ("node", str(NODE / "judge.mjs"), "zod"),
    "`JSON.parse`, `safeParse`, which makes objects of what it reads",
    "zod",
    known=frozenset({"takes date-time", "refuses date-time", "takes uri", "takes maximum"}),
    differs="Its datetime takes the year 0000 and an offset of 16 hours, and refuses a leap second; its URL takes what "
    f"is not ASCII. {FLOATS}",
)
JUDGES = (ENGINE, SERDE, SONIC, IN_PYTHON, JSONSCHEMA_RS, MSGSPEC, AJV, ZOD)
