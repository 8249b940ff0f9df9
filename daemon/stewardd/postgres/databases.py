"""The databases of the daemon, by name."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from stewardd.errors import DatabaseNotFound
from stewardd.postgres.database import Database
from stewardd.postgres.target import DatabaseTarget


@dataclass(frozen=True, slots=True)
class DatabasePage:
    """Some databases, by name; `last_name` is the name after which the next page begins, "" on the last page."""

    databases: list[Database]
    last_name: str


class Databases:
    """All databases, ordered by name; there are no others while the daemon runs."""

    def __init__(self, databases: Iterable[Database]) -> None:
        self._by_name = {each.name: each for each in sorted(databases, key=lambda each: each.name)}

    def __iter__(self) -> Iterator[Database]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)

    @property
    def direct_targets(self) -> dict[str, DatabaseTarget]:
        """Where what needs a session of its own goes, by name."""
        return {name: database.direct_target for name, database in self._by_name.items()}

    def get(self, name: str) -> Database:
        """Returns one database. Raises: DatabaseNotFound."""
        found = self._by_name.get(name)
        if found is None:
            raise DatabaseNotFound(f"there is no database {name!r}")
        return found

    def page(self, page_size: int, after_name: str) -> DatabasePage:
        """Returns those whose names come after `after_name`."""
        names = list(self._by_name)
        begin = bisect_right(names, after_name)
        shown = names[begin : begin + page_size]
        has_more = begin + page_size < len(names)
        return DatabasePage([self._by_name[each] for each in shown], shown[-1] if has_more else "")
