"""The shared vectors of payloads: a case is a change of its group's base, or a whole document, and names its errors."""

from __future__ import annotations

import copy
import functools
import json
import operator
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PATHS = sorted((ROOT / "tests/vectors/payloads").glob("*.json"))
_RAW = "stands for a raw value"


@dataclass(frozen=True, slots=True)
class Case:
    """A payload, the pointers and keywords of its violations, sorted, and which member was changed, by its pointer."""

    payload: bytes
    errors: list[tuple[str, str]]
    changed: str = ""


def cases(path: Path) -> Iterator[Case]:
    """Yields the cases of a schema."""
    for group in json.loads(path.read_text()):
        yield Case(json.dumps(group["base"]).encode(), [])
        for case in group["cases"]:
            errors = sorted((pointer, keyword) for pointer, keyword in case["errors"])
            changed = case.get("set", case.get("remove", ""))
            yield Case(payload_of(group["base"], case), errors, changed)


def payload_of(base: Any, case: dict[str, Any]) -> bytes:
    """The payload of a case. A raw value keeps its spelling."""
    if "document" in case:
        return str(case["document"]).encode()
    payload = copy.deepcopy(base)
    *parents, name = case.get("set", case.get("remove", "")).split("/")[1:]
    parent = functools.reduce(operator.getitem, parents, payload)
    if "remove" in case:
        del parent[name]
    elif "repeat" in case:
        parent[name] = case["repeat"][0] * case["repeat"][1]
    elif "raw" in case:
        parent[name] = _RAW
        return json.dumps(payload).replace(f'"{_RAW}"', case["raw"]).encode()
    else:
        parent[name] = case["to"]
    return json.dumps(payload, ensure_ascii=False).encode()
