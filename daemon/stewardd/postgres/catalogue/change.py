"""One property that differs between two catalogues, with both sides of its object: what the mending functions take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stewardd.postgres.catalogue.identifiers import split_name
from stewardd.postgres.catalogue.reading import DatabaseCatalogue
from stewardd.postgres.catalogue.statements import storage_options


@dataclass(frozen=True, slots=True)
class PropertyChange:
    """A property of an object that is in both catalogues. `found` and `wanted` are all properties of the object."""

    kind: str
    name: str
    changed: str
    found: Mapping[str, Any]
    wanted: Mapping[str, Any]
    found_catalogue: DatabaseCatalogue
    wanted_catalogue: DatabaseCatalogue

    @property
    def owner(self) -> str:
        """What the object belongs to."""
        return split_name(self.name)[0]

    @property
    def part(self) -> str:
        """The last part of its name."""
        return split_name(self.name)[1]

    @property
    def value(self) -> Any:
        """What the property should be."""
        return self.wanted.get(self.changed)

    @property
    def is_of_a_type(self) -> bool:
        """Whether it belongs to a domain or a composite type, and not to a table."""
        return ("type", self.owner) in self.wanted_catalogue.objects

    def options(self) -> Iterator[str]:
        """The words that reset options that are too many, and set those that are wanted."""
        has, wants = list(self.found.get("options") or ()), list(self.wanted.get("options") or ())
        names = {each.partition("=")[0] for each in wants}
        surplus = [name for each in has if (name := each.partition("=")[0]) not in names]
        if surplus:
            yield f"RESET ({', '.join(surplus)})"
        if wants:
            yield f"SET ({storage_options(wants)})"
