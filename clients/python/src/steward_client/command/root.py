"""The command line's top: the list of nouns. A new one is one module and one line here."""

from __future__ import annotations

import click

from steward_client import __version__
from steward_client.command.backup import backup
from steward_client.command.batch import batch
from steward_client.command.completion import completion
from steward_client.command.database import db
from steward_client.command.health import health
from steward_client.command.migrate import migrate
from steward_client.command.operation import operation
from steward_client.command.payload import payload
from steward_client.command.quarantine import quarantine
from steward_client.command.schedule import schedule
from steward_client.command.schema import schema
from steward_client.command.session import Noun
from steward_client.command.validate import validate

_EXAMPLE = """\
steward validate sessions.csv
steward quarantine show batches/019a…
steward backup create
steward health --output json
"""


@click.group(
    name="steward",
    cls=Noun,
    example=_EXAMPLE,
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="steward")
def root() -> None:
    """Let valid data in, keep invalid rows in quarantine, and back up the database.

    Exit codes: 0 all valid or done, 1 rows were quarantined or the daemon is degraded, 2 wrong usage,
    3 refused or failed, 130 interrupted.
    """


for command in (
    validate,
    payload,
    batch,
    quarantine,
    schema,
    backup,
    schedule,
    db,
    migrate,
    operation,
    health,
    completion,
):
    root.add_command(command)
