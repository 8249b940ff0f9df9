"""Options that several verbs of the quarantine share, and how they become the SDK's filters."""

from __future__ import annotations

import functools
import getpass
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

from steward_client.command.completing import FIELD, KEYWORD, TYPE, VERSION
from steward_client.command.moments import Moment

if TYPE_CHECKING:
    from steward_client.validation.batch_filter import BatchFilter

Function = TypeVar("Function", bound=Callable[..., Any])
Decorator = Callable[[Function], Function]
STATES = ("open", "resolved", "discarded")


def _user() -> str:
    """Returns who is at the keyboard, for the history; empty where the system does not know."""
    try:
        return os.environ.get("STEWARD_ACTOR") or getpass.getuser()
    except (KeyError, OSError):  # no such user, as in many containers
        return ""


actor_option = click.option(
    "--actor",
    default=_user,
    metavar="NAME",
    help="Who makes the change; kept in the history.  [env: STEWARD_ACTOR; default: your user name]",
)
apply_option = click.option(
    "--apply",
    "--yes",
    "is_applied",
    is_flag=True,
    help="Make the change. Without this option, only show what would change.",
)
no_wait_option = click.option(
    "--no-wait", is_flag=True, help="With --apply: start the operation, print its name, and return."
)


def state_option(*, also: tuple[str, ...] = (), default: str | None = None) -> Decorator[Any]:
    """Returns the option for a state of rows."""
    return click.option(
        "--state",
        type=click.Choice([*STATES, *also]),
        default=default,
        show_default=default is not None,
        help="Rows in this state.",
    )


@dataclass(frozen=True)
class Wanted:
    """Which batches, and which of their rows, the command line asks for."""

    schema: str | None = None
    schema_version: str | None = None
    source_file: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    field: str | None = None
    keyword: str | None = None

    @property
    def names_batches(self) -> bool:
        """Whether any batch is left out by its type, file or time."""
        return any((self.schema, self.schema_version, self.source_file, self.since, self.until))

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left out."""
        return not (self.names_batches or self.field or self.keyword)

    def batches(self, **more: Any) -> BatchFilter:
        """Returns the filter of batches, with more in it."""
        from steward_client.validation.batch_filter import BatchFilter

        found: dict[str, Any] = {
            "schema": self.schema,
            "schema_version": self.schema_version,
            "source_file": self.source_file,
            "create_after": self.since,
            "create_before": self.until,
        }
        return BatchFilter(**{**found, **more})


_BATCHES = (
    click.option("--type", "schema", metavar="TYPE", type=TYPE, help="Batches of this type."),
    click.option(
        "--type-version",
        "schema_version",
        metavar="V",
        type=VERSION,
        help="… of this version of it.",
    ),
    click.option("--file", "source_file", metavar="NAME", help="Batches of the file of this name."),
    click.option(
        "--since",
        type=Moment(),
        metavar="TIME",
        help="Published at 2025-11-13 or later, or 7d ago.",
    ),
    click.option("--until", type=Moment(), metavar="TIME", help="Published before that time."),
)
_ROWS = (
    click.option(
        "--field", metavar="COLUMN", type=FIELD, help="Rows with an error in this column."
    ),
    click.option(
        "--keyword",
        metavar="RULE",
        type=KEYWORD,
        help="Rows that break this rule, such as maximum.",
    ),
)


def batch_options(function: Function) -> Function:
    """Adds the options that choose batches; they come as the argument `wanted`."""
    return _gathered(function, _BATCHES)


def row_options(function: Function) -> Function:
    """Adds the options that choose rows; they come as the argument `wanted`."""
    return _gathered(function, _ROWS)


def filter_options(function: Function) -> Function:
    """Adds both kinds; they come as the argument `wanted`."""
    return _gathered(function, (*_BATCHES, *_ROWS))


def _gathered(function: Function, options: tuple[Callable[[Any], Any], ...]) -> Function:
    names = Wanted.__dataclass_fields__

    @functools.wraps(function)
    def gathering(*arguments: Any, **given: Any) -> Any:
        wanted = {name: given.pop(name) for name in tuple(given) if name in names}
        return function(*arguments, wanted=Wanted(**wanted), **given)

    decorated: Any = gathering
    for option in reversed(options):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]


def refuse_batch_options(batch: str | None, wanted: Wanted) -> None:
    """Refuses a command line that names a batch and chooses among all as well."""
    if batch is not None and wanted.names_batches:
        raise click.UsageError(
            "--type, --type-version, --file, --since and --until choose among all batches: "
            "leave them out, or the BATCH"
        )
