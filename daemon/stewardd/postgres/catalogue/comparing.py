"""Compares two catalogues: what one has and the other has not, and which property differs; a pure function."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stewardd.postgres.catalogue.identifiers import split_name
from stewardd.postgres.catalogue.reading import DatabaseCatalogue

_OF_A_TABLE = {"column", "constraint", "index", "trigger", "rule", "policy"}
# What differs between major versions without anybody's doing.
_OF_THE_VERSION = {("extension", "version")}
# Before 16 the columns of a query that reads one table are printed with its name.
_QUALIFIED = {("view", "definition"), ("rule", "definition")}
_QUALIFIER = re.compile(r'(?:\w+|"[^"]*")\.')


@dataclass(frozen=True, slots=True)
class CatalogueDifference:
    """One difference: `wanted` and `found` are what the property is; None where the whole object is missing there."""

    kind: str
    name: str
    property: str
    wanted: str | None
    found: str | None

    def __str__(self) -> str:
        if self.wanted is None:
            return f"{self.kind} {self.name} is there and should not be"
        if self.found is None:
            return f"{self.kind} {self.name} is missing"
        return f"{self.kind} {self.name}: its {self.property} is {self.found}, and should be {self.wanted}"


def compare(wanted: DatabaseCatalogue, found: DatabaseCatalogue) -> list[CatalogueDifference]:
    """Every difference, in the order of kinds; of a table that is missing its columns are not told one by one."""
    same_major = wanted.major == found.major
    differences = []
    for key in dict.fromkeys([*wanted.objects, *found.objects]):
        kind, name = key
        ours, theirs = wanted.objects.get(key), found.objects.get(key)
        if ours == theirs:  # of thousands, nearly all
            continue
        if ours is None or theirs is None:
            if not (kind in _OF_A_TABLE and _is_of_a_missing_one(name, wanted, found)):
                differences.append(_existence(kind, name, ours, theirs))
            continue
        differences += [
            CatalogueDifference(kind, name, each, _shown(ours.get(each)), _shown(theirs.get(each)))
            for each in sorted(set(ours) | set(theirs))
            if not _is_same((kind, each), ours.get(each), theirs.get(each), same_major=same_major)
        ]
    return differences


def _is_same(key: tuple[str, str], ours: Any, theirs: Any, *, same_major: bool) -> bool:
    if ours == theirs:
        return True
    if same_major:
        return False
    if key in _QUALIFIED and ours and theirs:
        return _QUALIFIER.sub("", ours) == _QUALIFIER.sub("", theirs)
    return key in _OF_THE_VERSION


def _existence(
    kind: str, name: str, ours: Mapping[str, Any] | None, theirs: Mapping[str, Any] | None
) -> CatalogueDifference:
    return CatalogueDifference(
        kind,
        name,
        "existence",
        None if ours is None else "there",
        None if theirs is None else "there",
    )


def _is_of_a_missing_one(name: str, wanted: DatabaseCatalogue, found: DatabaseCatalogue) -> bool:
    """Whether the object belongs to a table or a view that only one of the two has."""
    owner = split_name(name)[0]
    return any(
        ((kind, owner) in wanted.objects) != ((kind, owner) in found.objects)
        for kind in ("table", "view", "type")
    )


def _shown(value: Any) -> str:
    return "nothing" if value in (None, "", []) else str(value)
