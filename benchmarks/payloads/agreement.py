"""Holds the verdicts of every contestant to ours, payload by payload: on the shared vectors, and on the files."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fastcsv
from benchmarks.contestants import Contestant
from benchmarks.meter import Command, measure
from benchmarks.payloads.contestants import PayloadJudge
from benchmarks.payloads.generate import Payload, document, write_payloads
from tests.support import payload_vectors


@dataclass(frozen=True, slots=True)
class Vector:
    """A payload of the shared vectors, whether it is valid, and the rule that it tests."""

    payload: Payload
    valid: bool
    rule: str


@dataclass(slots=True)
class Agreement:
    """How a contestant's verdicts differ from ours: what it does, and how often."""

    vectors: int
    differences: Counter[str] = field(default_factory=Counter)

    @property
    def agreed(self) -> int:
        """How many vectors it judges as we do."""
        return self.vectors - self.differences.total()


def vectors() -> list[Vector]:
    """Return the shared vectors of all schemas."""
    found = []
    for path in payload_vectors.PATHS:
        schema = document(path.stem)
        for case in payload_vectors.cases(path):
            payload = Payload(path.stem, case.payload)
            found.append(Vector(payload, not case.errors, rule_of(schema, case)))
    return found


def rule_of(schema: dict[str, Any], case: payload_vectors.Case) -> str:
    """Return the keyword that a case breaks, or, if it is valid, the type of what it changes; a format by its name."""
    pointer, keyword = case.errors[0] if case.errors else (case.changed, "type")
    rules = member_rules(schema, pointer.rpartition("/")[2])
    if keyword == "format" or not case.errors:
        return str(rules.get("format", rules.get("type", "object")))
    return keyword


def member_rules(schema: Any, name: str) -> dict[str, Any]:
    """Return the first schema that a document has for members of this name."""
    below = (
        schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ()
    )
    if isinstance(schema, dict) and name in schema.get("properties", {}):
        found: dict[str, Any] = schema["properties"][name]
        return found
    return next((it for it in (member_rules(each, name) for each in below) if it), {})


def agreements(
    contestants: Sequence[PayloadJudge], core: int, scratch: Path
) -> dict[str, Agreement]:
    """Judge the vectors with every contestant."""
    tested = vectors()
    path = scratch / "vectors.payloads"
    write_payloads(path, [it.payload for it in tested])
    found = {}
    for contestant in contestants:
        agreement = found[contestant.key] = Agreement(len(tested))
        verdicts = verdicts_of(contestant, path, core, scratch)
        for vector, verdict in zip(tested, verdicts, strict=True):
            if vector.valid != (verdict == "1"):
                does = "refuses" if vector.valid else "takes"
                agreement.differences[f"{does} {vector.rule}"] += 1
    return found


def verdicts_of(contestant: PayloadJudge, path: Path, core: int, scratch: Path) -> str:
    """Return a contestant's verdicts on a file: 1 for each payload that it takes, 0 for each that it refuses."""
    (usage,) = measure(Command(contestant.command(path, scratch), (core,)))
    return str(usage.printed["verdicts"])


def of_all(count: int) -> Callable[[Contestant], int]:
    """Return what expects the same number of invalid payloads of every contestant."""
    return lambda _contestant: count


def invalid_count(payloads: Sequence[Payload]) -> int:
    """Return how many payloads we find invalid."""
    schemas = {
        name: fastcsv.PayloadSchema(json.dumps(document(name)), name=name, version="1.0")
        for name in {it.schema for it in payloads}
    }
    reports = (fastcsv.validate_payload(schemas[it.schema], it.text) for it in payloads)
    return sum(not report.valid for report in reports)
