"""The options of `steward backup create`, and those that several commands for backups have."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from steward_client.backups.types import BackupOptions

_Command = TypeVar("_Command", bound=Callable[..., Any])
repository_option = click.option(
    "--repository",
    type=click.Choice(("first", "second")),
    default="first",
    show_default=True,
    help="The one in which backups are made, or the second one with the copies.",
)
_OPTIONS = (
    click.option("--schema", "schemas", multiple=True, metavar="NAME", help="Only this schema."),
    click.option(
        "--exclude-schema",
        "exclude_schemas",
        multiple=True,
        metavar="NAME",
        help="Not this schema.",
    ),
    click.option(
        "--table", "tables", multiple=True, metavar="SCHEMA.TABLE", help="Only this table."
    ),
    click.option(
        "--exclude-table",
        "exclude_tables",
        multiple=True,
        metavar="SCHEMA.TABLE",
        help="Not this table.",
    ),
    click.option(
        "--form",
        type=click.Choice(["custom", "directory"]),
        help="One stream, or a folder of files, several tables at once.",
    ),
    click.option(
        "--jobs",
        type=click.IntRange(min=1),
        default=None,
        metavar="N",
        help="So many tables at once, of a directory.",
    ),
    click.option(
        "--compression", type=click.Choice(["zstd", "gzip", "none"]), help="How it is compressed."
    ),
    click.option(
        "--level", type=click.IntRange(min=1), default=None, metavar="N", help="How hard, 1 to 19."
    ),
    click.option(
        "--proof",
        type=click.Choice(["hash", "count", "none"]),
        help="What is read of each table to compare a restore with.",
    ),
    click.option(
        "--recipient",
        "recipients",
        multiple=True,
        metavar="age1…",
        help="Which of the configured keys can read it.",
    ),
    click.option(
        "--globals/--no-globals",
        "with_globals",
        default=None,
        help="Keep the server's roles and tablespaces beside it.",
    ),
    click.option(
        "--lock-timeout",
        type=click.FloatRange(min=0, min_open=True),
        metavar="SECONDS",
        help="How long it waits for a table that is locked.",
    ),
    click.option(
        "--max-duration",
        type=click.FloatRange(min=0, min_open=True),
        metavar="SECONDS",
        help="When it is given up.",
    ),
    click.option(
        "--max-bytes-per-second",
        type=click.IntRange(min=1),
        default=None,
        metavar="BYTES",
        help="How much it stores in a second at most.",
    ),
)


def backup_options(command: _Command) -> _Command:
    """Adds the options to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def read_options(given: dict[str, Any]) -> BackupOptions:
    """Returns what was given on the command line."""
    from steward_client.backups.types import BackupOptions, BackupSelection
    from steward_client.backups.words import BackupCompression, BackupForm, BackupProofMode

    return BackupOptions(
        selection=BackupSelection(
            schemas=given["schemas"],
            exclude_schemas=given["exclude_schemas"],
            tables=given["tables"],
            exclude_tables=given["exclude_tables"],
        ),
        form=BackupForm(given["form"]) if given["form"] else None,
        jobs=given["jobs"] or 0,
        compression=BackupCompression(given["compression"]) if given["compression"] else None,
        compression_level=given["level"] or 0,
        proof_mode=BackupProofMode(given["proof"]) if given["proof"] else None,
        recipients=given["recipients"],
        globals=given["with_globals"],
        lock_timeout_s=given["lock_timeout"],
        max_duration_s=given["max_duration"],
        max_bytes_per_second=given["max_bytes_per_second"] or 0,
    )
