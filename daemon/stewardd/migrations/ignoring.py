"""Which objects of a database drift passes over: partitions that a job makes, schemas of other people.

An entry is a pattern for a name, schema and all, in which * stands for any characters and ? for one. A kind before it,
as in `function public.debug_*`, takes only objects of that kind. What belongs to a matching object matches as well: the
columns and indexes of a table, everything in a schema.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from stewardd.errors import InvalidRequest
from stewardd.postgres.catalogue.comparing import CatalogueDifference
from stewardd.postgres.catalogue.identifiers import owners
from stewardd.postgres.catalogue.queries import KINDS

_LONGEST = 512
_WORDS = {"*": ".*", "?": "."}


@dataclass(frozen=True, slots=True)
class IgnoreRule:
    """One entry: `kind` is "" for any."""

    kind: str
    pattern: re.Pattern[str]

    def matches(self, difference: CatalogueDifference) -> bool:
        """Whether a difference is of an object that the entry names, or of what belongs to it."""
        if self.kind in ("", difference.kind) and self.pattern.fullmatch(difference.name):
            return True
        return self.kind in ("", "table", "view", "schema", "type") and any(
            self.pattern.fullmatch(owner) for owner in owners(difference.name)[1:]
        )


def ignore_rules(entries: Iterable[str], *, field: str = "ignore") -> list[IgnoreRule]:
    """Reads entries. Raises: InvalidRequest."""
    rules = []
    for entry in entries:
        text = entry.strip()
        if not text or len(text) > _LONGEST:
            raise InvalidRequest(
                f"an entry of what is to be ignored must have 1 to {_LONGEST} characters",
                field=field,
            )
        kind = next((kind for kind in KINDS if text.startswith(f"{kind} ")), "")
        pattern = "".join(
            _WORDS.get(each, re.escape(each)) for each in text.removeprefix(kind).strip()
        )
        rules.append(IgnoreRule(kind, re.compile(pattern, re.DOTALL)))
    return rules
