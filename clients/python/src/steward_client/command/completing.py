"""What a shell is offered: names, rows, schemas, versions, columns and rules, as the daemon knows them.

It is asked with little patience; when it is away, or slow, nothing is offered and nothing is said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from steward_client.command.session import Session
from steward_client.errors import StewardError

if TYPE_CHECKING:
    from steward_client.client import Client
    from steward_client.validation.schemas import Schema

_SHOWN = 20
_ROWS_READ = 100
_PATIENCE_S = 1.0
LATEST = "latest"

Offer = Callable[["Client", click.Context, str], Iterable[tuple[str, str]]]
"""From a client, what stands on the command line so far, and the word's beginning, to words and what they are."""


class Asked(click.ParamType[str]):
    """A word of the command line that the daemon can complete."""

    def __init__(self, name: str, offer: Offer) -> None:
        self.name = name
        self._offer = offer

    def shell_complete(
        self,
        ctx: click.Context,
        param: click.Parameter,  # noqa: ARG002 - click gives it
        incomplete: str,
    ) -> list[CompletionItem]:
        """Returns what fits, or nothing when no daemon answers at once."""
        session = ctx.find_object(Session) or Session()
        session.timeout_s, session.is_quiet = _PATIENCE_S, True
        try:
            with session.client() as client:
                found = list(islice(self._offer(client, ctx, incomplete), 1000))
        except (StewardError, OSError, ValueError):
            return []
        return [
            CompletionItem(word, help=what) for word, what in found if word.startswith(incomplete)
        ]


def _names(
    collection: str, listed: Callable[[Client], Iterable[Any]], what: Callable[[Any], str]
) -> Offer:
    """Offers the newest names, as bare ids where one was begun; and `latest`."""

    def offer(
        client: Client, _context: click.Context, incomplete: str
    ) -> Iterable[tuple[str, str]]:
        found = islice(listed(client), _SHOWN)
        is_bare = bool(incomplete) and not f"{collection}/".startswith(
            incomplete[: len(collection) + 1]
        )
        if LATEST.startswith(incomplete):
            yield LATEST, f"the newest of the {collection}"
        for each in found:
            yield (each.name.rpartition("/")[2] if is_bare else each.name), what(each)

    return offer


def _schemas(client: Client, context: click.Context) -> list[Schema]:
    """Returns the schemas of the type that the command line names; all where it names none."""
    given = context.params.get("schema") or context.params.get("kind")
    found = list(client.list_schemas(page_size=1000))
    return [each for each in found if not given or _type(each) == given]


def _type(schema: Schema) -> str:
    return schema.name.removeprefix("schemas/").partition("/")[0]


def _types(client: Client, _context: click.Context, _incomplete: str) -> Iterable[tuple[str, str]]:
    return sorted({(_type(each), "") for each in client.list_schemas(page_size=1000)})


def _versions(
    client: Client, context: click.Context, _incomplete: str
) -> Iterable[tuple[str, str]]:
    found = {each.name.rpartition("/")[2]: each for each in _schemas(client, context)}
    return [
        (version, f"from {each.effective_date}" if each.effective_date else "")
        for version, each in sorted(found.items())
    ]


def _fields(client: Client, context: click.Context, _incomplete: str) -> Iterable[tuple[str, str]]:
    found = {
        name: _type(each)
        for each in _schemas(client, context)
        for name in (*(one.name for one in each.columns), *(one.pointer for one in each.members))
    }
    return [*sorted(found.items()), ("_row", "the row as a whole")]


def _keywords(
    client: Client, _context: click.Context, _incomplete: str
) -> Iterable[tuple[str, str]]:
    """Offers the rules that rows of the newest batches broke."""
    newest = islice(client.list_batches(page_size=100), 100)
    return sorted({(keyword, "") for each in newest for keyword in each.errors_by_keyword})


def _batches(client: Client, context: click.Context, incomplete: str) -> Iterable[tuple[str, str]]:
    """Offers batches, and behind `BATCH/exports/` the exports of that batch, the newest first."""
    from steward_client.command import resources

    batch, separator, _begun = incomplete.partition("/exports/")
    if not separator:
        return _newest_batches(client, context, incomplete)
    found = list(client.list_exports(resources.batch(client, batch), page_size=1000))[::-1]
    latest = [(f"{batch}/exports/{LATEST}", "the newest of them")] if found else []
    ids = ((each.name.rpartition("/")[2], each.cursor) for each in found[:_SHOWN])
    return [*latest, *((f"{batch}/exports/{identifier}", cursor) for identifier, cursor in ids)]


def _rows(client: Client, context: click.Context, _incomplete: str) -> Iterable[tuple[str, str]]:
    """Offers the open rows of the batch, and behind a row the columns that are wrong in it."""
    from steward_client.command import resources

    words = context.params.get("words") or ()
    batch = resources.batch(client, str(context.params.get("batch") or LATEST))
    if words and context.command.name == "correct":
        row = client.get_quarantined_row(f"{batch}/rows/{words[0]}")
        return [(f"{each.field}=", each.message) for each in row.wrong]
    state = None if context.command.name == "show" else "open"
    found = islice(client.quarantined_rows(batch, state=state, page_size=_ROWS_READ), _ROWS_READ)
    return [
        (str(each.row_number), ", ".join(dict.fromkeys(one.field for one in each.wrong)))
        for each in found
        if str(each.row_number) not in words
    ]


def _cursors(client: Client, context: click.Context, _incomplete: str) -> Iterable[tuple[str, str]]:
    """Offers the services that have had an export of the batch."""
    from steward_client.command import resources

    given = context.params.get("batch") or context.params.get("name") or LATEST
    batch = resources.batch(client, str(given))
    return sorted({(each.cursor, "") for each in client.list_exports(batch, page_size=1000)})


def _files(client: Client, context: click.Context, _incomplete: str) -> Iterable[tuple[str, str]]:
    from steward_client.command import resources

    found = client.get_batch(resources.batch(client, str(context.params.get("name") or LATEST)))
    return [(each.file, "") for each in found.files]


def _databases(
    client: Client, _context: click.Context, _incomplete: str
) -> Iterable[tuple[str, str]]:
    return [
        (each.name.partition("/")[2], each.server.state.value)
        for each in client.list_databases(page_size=1000)
    ]


def _schedules(
    client: Client, _context: click.Context, _incomplete: str
) -> Iterable[tuple[str, str]]:
    return [
        (each.name.partition("/")[2], each.cron) for each in client.list_schedules(page_size=1000)
    ]


_newest_batches = _names(
    "batches", lambda client: client.list_batches(page_size=_SHOWN), lambda it: it.source_file
)

BATCH = Asked("batch", _newest_batches)
BATCH_OR_EXPORT = Asked("batch or export", _batches)
ROW = Asked("row", _rows)
CURSOR = Asked("cursor", _cursors)
BACKUP = Asked(
    "backup",
    _names(
        "backups", lambda client: client.list_backups(page_size=_SHOWN), lambda it: it.description
    ),
)
OPERATION = Asked(
    "operation",
    _names("operations", lambda client: client.list_operations(page_size=_SHOWN), lambda _it: ""),
)
TYPE = Asked("type", _types)
VERSION = Asked("version", _versions)
FIELD = Asked("field", _fields)
KEYWORD = Asked("keyword", _keywords)
BATCH_FILE = Asked("file", _files)
DATABASE = Asked("database", _databases)
SCHEDULE = Asked("schedule", _schedules)
