"""Names and versions of schemas: their form, and the order of versions."""

from __future__ import annotations

import re
from typing import NamedTuple

NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
VERSION = re.compile(r"(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})")


class SchemaKey(NamedTuple):
    """Identifies one version of one schema; `str()` gives `name/version`."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name}/{self.version}"

    @property
    def order(self) -> tuple[str, int, int]:
        """Sorts by name, then from old to new: 1.9 comes before 1.10."""
        major, minor = self.version.split(".")
        return (self.name, int(major), int(minor))
