"""What a header and its schema have not in common, for people: columns that are not judged, missing, or misspelled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from steward_client.command import screen
from steward_client.command.text import many, shown

_MOST = 20


class Difference(Protocol):
    """A batch, or a detection."""

    @property
    def unknown_columns(self) -> Sequence[str]:
        """Columns of the header that the schema does not know."""

    @property
    def missing_optional_columns(self) -> Sequence[str]:
        """Columns of the schema that the header does not have."""

    @property
    def similar_columns(self) -> Mapping[str, str]:
        """The column that an unknown one may be meant for."""


def show(difference: Difference) -> None:
    """Prints what there is to say; nothing where the header has just the columns of the schema."""
    similar = difference.similar_columns
    for found, meant in list(similar.items())[:_MOST]:
        screen.line(
            f"column {shown(found)} is not judged: did you mean {meant}?",
            style="bold yellow",
            indent=2,
        )
    unknown = [name for name in difference.unknown_columns if name not in list(similar)[:_MOST]]
    if unknown:
        screen.line(
            f"unknown columns, kept and not judged: {_listed(unknown)}", style="yellow", indent=2
        )
    if difference.missing_optional_columns:
        screen.line(
            f"optional columns that are not there: {_listed(difference.missing_optional_columns)}",
            style="yellow" if similar else "dim",
            indent=2,
        )


def _listed(names: Sequence[str]) -> str:
    rest = len(names) - _MOST
    words = ", ".join(shown(name) for name in names[:_MOST])
    return f"{words} and {many(rest, 'other')}" if rest > 0 else words
