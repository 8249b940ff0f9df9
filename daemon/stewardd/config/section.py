"""What all sections have in common: they are frozen, and refuse a key that is not named in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A section of the settings. The text below a setting is its meaning in docs/configuration.md."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def sections_in(annotation: Any, *, keyed: bool = False) -> Iterator[tuple[type[Section], bool]]:
    """Yields the sections that a setting's type is or holds, and whether they stand under keys of the user's own."""
    if get_origin(annotation) in (dict, Annotated):
        is_dict = get_origin(annotation) is dict
        for argument in get_args(annotation):
            yield from sections_in(argument, keyed=keyed or is_dict)
    elif isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation, keyed
