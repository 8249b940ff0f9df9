"""`steward quarantine …`: find the rows that did not pass, put them right, and hand them on. A verb is a line here."""

from __future__ import annotations

import click

from steward_client.command.quarantine.correct import correct, discard
from steward_client.command.quarantine.erase import erase
from steward_client.command.quarantine.export import export, exports
from steward_client.command.quarantine.list import list_
from steward_client.command.quarantine.purge import purge
from steward_client.command.quarantine.resubmit import resubmit
from steward_client.command.quarantine.retry import retry
from steward_client.command.quarantine.show import show
from steward_client.command.quarantine.stats import stats
from steward_client.command.session import Noun

_EXAMPLE = """\
steward quarantine list
steward quarantine show batches/019a… --limit 5
steward quarantine export batches/019a… --to rows.csv
steward quarantine resubmit rows.csv
"""


@click.group(cls=Noun, example=_EXAMPLE)
def quarantine() -> None:
    """Find invalid rows, correct them, and pass them on."""


for verb in (list_, show, stats, export, exports, correct, discard, resubmit, retry, purge, erase):
    quarantine.add_command(verb)
