"""`steward payload …`: validates JSON payloads, detects their schemas, makes events. A verb is a line here."""

from __future__ import annotations

import click

from steward_client.command.payload.detect import detect
from steward_client.command.payload.normalise import normalise
from steward_client.command.payload.validate import validate
from steward_client.command.session import Noun

_EXAMPLE = """\
steward payload validate --type buddy_match match.json
steward payload detect webhook.json
steward payload normalise deliveries.jsonl > events.jsonl
"""


@click.group(cls=Noun, example=_EXAMPLE)
def payload() -> None:
    """Judge JSON payloads, such as the bodies of webhooks."""


for verb in (validate, detect, normalise):
    payload.add_command(verb)
