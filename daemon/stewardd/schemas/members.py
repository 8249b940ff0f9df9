"""The members that a payload schema names, by their JSON Pointers (RFC 6901), and which of them are personal data.

A schema is followed wherever its keywords and references lead. What a schema says only under a condition counts as
well: to mask a value too many harms nobody, to show one too many does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

ANY = "*"
"""Stands in a pointer for every element of a list, and for every member that the schema does not name itself."""
MAX_MEMBERS = 4096
_MAX_DEPTH = 128

# Keywords whose schemas judge the same value; those of the second line do so under a condition.
_ALWAYS = ("allOf",)
_AT_TIMES = ("anyOf", "oneOf", "if", "then", "else", "not", "dependentSchemas")
# Keywords whose schemas judge elements, or members without a name of their own.
_ELEMENTS = ("items", "prefixItems", "contains", "unevaluatedItems")
_OTHERS = ("additionalProperties", "unevaluatedProperties", "patternProperties")


@dataclass(frozen=True, slots=True)
class Member:
    """A member. `required`: it has to be there wherever the object that holds it is. `pii`: it is personal data."""

    pointer: str
    required: bool
    pii: bool


def escaped(name: str) -> str:
    """Returns a member's name as a token of a JSON Pointer."""
    return name.replace("~", "~0").replace("/", "~1")


def members_of(document: str) -> tuple[Member, ...]:
    """Returns the members that a compiled document names, in its order, at most MAX_MEMBERS."""
    return tuple(_Walk(json.loads(document)).members())


@dataclass(slots=True)
class _Facts:
    required: bool = False
    pii: bool = False


class _Walk:
    """Follows one document. A reference is followed once for each place in the payload."""

    def __init__(self, document: Any) -> None:
        self._document = document
        self._found: dict[str, _Facts] = {}
        self._followed: set[tuple[str, str]] = set()

    def members(self) -> Iterator[Member]:
        """Yields the members; the payload itself is none of them."""
        self._visit(self._document, "", 0, certain=True)
        for pointer, facts in self._found.items():
            if pointer:
                yield Member(pointer, facts.required, facts.pii)

    def _visit(self, schema: Any, pointer: str, depth: int, *, certain: bool) -> None:
        if not isinstance(schema, Mapping) or depth > _MAX_DEPTH:
            return
        if len(self._found) > MAX_MEMBERS:
            return
        facts = self._found.setdefault(pointer, _Facts())
        facts.pii |= schema.get("x-steward-pii") is True
        self._visit_members(schema, pointer, depth, certain=certain)
        for keyword in (*_ELEMENTS, *_OTHERS):
            for each in _schemas(keyword, schema.get(keyword)):
                self._visit(each, f"{pointer}/{ANY}", depth + 1, certain=False)
        for keyword in (*_ALWAYS, *_AT_TIMES):
            for each in _schemas(keyword, schema.get(keyword)):
                self._visit(each, pointer, depth + 1, certain=certain and keyword in _ALWAYS)
        for keyword in ("$ref", "$dynamicRef"):
            reference = schema.get(keyword)
            if isinstance(reference, str) and (pointer, reference) not in self._followed:
                self._followed.add((pointer, reference))
                self._visit(self._referred(reference), pointer, depth + 1, certain=certain)

    def _visit_members(
        self, schema: Mapping[str, Any], pointer: str, depth: int, *, certain: bool
    ) -> None:
        required = schema.get("required")
        for name, each in _mapping(schema.get("properties")).items():
            member = f"{pointer}/{escaped(name)}"
            facts = self._found.setdefault(member, _Facts())
            if certain and isinstance(required, list) and name in required:
                facts.required = True
            self._visit(each, member, depth + 1, certain=certain)

    def _referred(self, reference: str) -> Any:
        """Returns the schema that a reference within the document leads to. None where it leads to none."""
        place = reference.partition("#")[2]
        if place and not place.startswith("/"):
            return _anchored(self._document, place, 0)
        found = self._document
        for token in place.split("/")[1:]:
            name = token.replace("~1", "/").replace("~0", "~")
            if isinstance(found, list) and name.isdigit() and int(name) < len(found):
                found = found[int(name)]
            elif isinstance(found, Mapping) and name in found:
                found = found[name]
            else:
                return None
        return found


def _schemas(keyword: str, value: Any) -> list[Any]:
    """Returns the schemas that stand under a keyword: one, a list of them, or one for each name."""
    if isinstance(value, list):
        return value
    if keyword in ("patternProperties", "dependentSchemas"):
        return list(_mapping(value).values())
    return [value]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _anchored(value: Any, anchor: str, depth: int) -> Any:
    """Returns the schema with an anchor of that name. None where the document has none."""
    if depth > _MAX_DEPTH:
        return None
    if isinstance(value, Mapping) and anchor in (value.get("$anchor"), value.get("$dynamicAnchor")):
        return value
    inside = value.values() if isinstance(value, Mapping) else value
    for each in inside if isinstance(value, Mapping | list) else ():
        if (found := _anchored(each, anchor, depth + 1)) is not None:
            return found
    return None
