"""Says what is wrong with a setting: which, where it came from, and for a name that nobody knows the nearest one.

A setting can come from a file, a variable or an option, and the last one wins; who reads "server.lissten" has to know
which of them to open. A value is never repeated: it may be a secret.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel

from stewardd.config.section import sections_in

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

ENVIRONMENT_PREFIX = "STEWARDD_"
_CLOSE = 0.6
_VERY_CLOSE = 0.8  # whole names have their section in common


@dataclass(frozen=True, slots=True)
class Origins:
    """Where each setting came from; what no variable and no option gave is the file's."""

    file: Path | None
    _named: dict[tuple[str, ...], str] = field(default_factory=dict)

    def note(self, path: Sequence[str], origin: str) -> None:
        """Notes the variable or the option that gave a setting; the last one wins."""
        self._named[tuple(path)] = origin

    def of(self, path: tuple[str, ...]) -> str:
        """The variable, the option or the file of a setting; empty where it was given nowhere."""
        for length in range(len(path), 0, -1):
            if path[:length] in self._named:
                return self._named[path[:length]]
        return str(self.file) if self.file is not None else ""

    def named(self, path: tuple[str, ...]) -> str:
        """A setting's dotted name, and where it came from."""
        origin = self.of(path)
        return ".".join(path) + (f" (from {origin})" if origin else "")


def explain(error: ErrorDetails, settings: type[BaseModel], origins: Origins) -> str:
    """One error of pydantic, for the person who wrote the settings."""
    path = tuple(str(part) for part in error["loc"])
    if error["type"] != "extra_forbidden":
        text = error["msg"].removeprefix("Value error, ")
        return f"{origins.named(path)}: {text[:1].lower()}{text[1:]}"
    near = nearest(path, list(_names(settings, ())))
    hint = f", did you mean {_as_in(origins.of(path), near)}?" if near else ""
    return f"{origins.named(path)}: there is no such setting{hint}"


def nearest(path: tuple[str, ...], known: Sequence[tuple[str, ...]]) -> tuple[str, ...] | None:
    """The known name that a wrong one was meant for, if one is near: misspelt, or in another section."""
    beside = {
        each[len(path) - 1]: each[: len(path)]
        for each in known
        if len(each) >= len(path) and _fits(each[: len(path) - 1], path[:-1])
    }
    for name in difflib.get_close_matches(path[-1], beside, 1, _CLOSE):
        return (*path[:-1], name)
    elsewhere = [each for each in known if each[-1] == path[-1] and "*" not in each]
    if elsewhere:
        return elsewhere[0]
    dotted = {".".join(each): each for each in known if "*" not in each}
    for name in difflib.get_close_matches(".".join(path), dotted, 1, _VERY_CLOSE):
        return dotted[name]
    return None


def _fits(pattern: tuple[str, ...], path: tuple[str, ...]) -> bool:
    return all(each in ("*", part) for each, part in zip(pattern, path, strict=True))


def _as_in(origin: str, path: tuple[str, ...]) -> str:
    """A setting's name as its origin would write it."""
    if origin.startswith(ENVIRONMENT_PREFIX):
        return ENVIRONMENT_PREFIX + "__".join(path).upper()
    return ".".join(path)


def _names(section: type[BaseModel], prefix: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for name, info in section.model_fields.items():
        below = list(sections_in(info.annotation))
        if not below:
            yield (*prefix, name)
        for inner, keyed in below:
            yield from _names(inner, (*prefix, name, "*") if keyed else (*prefix, name))
