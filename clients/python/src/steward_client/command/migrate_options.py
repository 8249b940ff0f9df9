"""What several verbs of `steward migrate` take."""

from __future__ import annotations

import click

from steward_client.command.completing import DATABASE

database_argument = click.argument(
    "name", metavar="[DATABASE]", required=False, default="", type=DATABASE
)
no_wait_option = click.option(
    "--no-wait", is_flag=True, help="Begin it and return; the operation's name is printed."
)
