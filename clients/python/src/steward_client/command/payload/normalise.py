"""`steward payload normalise`: the events that valid webhooks are normalised into, one on each line.

Only events go to stdout. What is wrong with a payload goes to stderr, so that the output can be handed on as it is.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from steward_client.command import document
from steward_client.command.completing import TYPE, VERSION
from steward_client.command.ending import Exit, warn
from steward_client.command.file_validation import complain
from steward_client.command.payload.asking import answers
from steward_client.command.payload.source import PayloadSource, SourcePayload, is_lines
from steward_client.command.payload.verdict import show_verdict, verdict_line
from steward_client.command.session import Session, Verb, pass_session
from steward_client.errors import StewardError

if TYPE_CHECKING:
    from steward_client.client import Client
    from steward_client.validation.payloads import PayloadVerdict

_EXAMPLE = """\
steward payload normalise webhook.json > event.json
steward payload normalise deliveries.jsonl > events.jsonl
steward payload normalise --envelope --source /webhooks/ecornell deliveries.jsonl
"""
_BEYOND_ASCII = re.compile("[^\x00-\x7f]+")

Ask = Callable[[SourcePayload], "PayloadVerdict"]


@dataclass(frozen=True)
class Normalised:
    """What became of one payload, or of a file that could not be read; its event aside."""

    file: str
    line: int | None
    verdict: PayloadVerdict | None
    """What is wrong with a payload that is not valid."""
    error: StewardError | None


@click.command(cls=Verb, example=_EXAMPLE)
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path())
@click.option(
    "--type",
    "schema",
    metavar="TYPE",
    type=TYPE,
    help="The type of the payloads.  [default: detected, of each payload]",
)
@click.option(
    "--schema-version", metavar="V", type=VERSION, help="Its version.  [default: the newest]"
)
@click.option(
    "--strict", is_flag=True, help="A member that the schema does not name is a violation."
)
@click.option(
    "--lines",
    is_flag=True,
    help="Each file is JSON Lines, whatever its name.  [default: *.jsonl and *.ndjson are]",
)
@click.option("--envelope", is_flag=True, help="Put each event in an envelope of CloudEvents 1.0.")
@click.option("--source", metavar="URI", help="Where the payloads come from, for the envelope.")
@click.option(
    "--id",
    "event_id",
    metavar="ID",
    help="The id of a single payload at its source, for the envelope.  [default: the SHA-256 of the payload]",
)
@pass_session
def normalise(
    session: Session,
    /,
    files: tuple[str, ...],
    lines: bool,
    envelope: bool,
    source: str | None,
    event_id: str | None,
    **judging: str | bool | None,
) -> int:
    """Print the event that each valid webhook is normalised into, one on each line. `-` reads stdin.

    A file has one payload, a JSON Lines file one on each line. What is wrong with a payload is said on stderr.

    Exit code: 0 each payload became an event, 1 a payload is invalid, 3 refused or failed;
    of several the worst.
    """
    if envelope != (source is not None) or (event_id is not None and not envelope):
        raise click.UsageError("an envelope needs --envelope with --source, and --id needs both")
    if event_id is not None and (len(files) > 1 or lines or is_lines(files[0])):
        raise click.UsageError("--id names one payload: give one file that is not JSON Lines")
    session.is_stdout_taken = not session.is_json
    codes = [Exit.DONE]
    with session.client() as client:
        ask = _asked(client, source, event_id, judging)
        codes += [
            _normalise(
                session,
                PayloadSource(file, of_lines=lines or is_lines(file)),
                ask,
                has_schema=judging["schema"] is not None,
            )
            for file in files
        ]
    return max(codes)


def _normalise(session: Session, source: PayloadSource, ask: Ask, *, has_schema: bool) -> Exit:
    """Normalises the payloads of a file. Returns the worst exit code."""
    worst, file = Exit.DONE, source.file
    try:
        for payload, answer in answers(source, ask, has_schema=has_schema):
            if isinstance(answer, StewardError):
                worst = Exit.FAILED
                complain(payload.place, answer, debug=session.debug)
                _emit(session, Normalised(file, payload.line, None, answer))
            elif answer.valid:
                _emit(session, Normalised(file, payload.line, None, None), answer.event)
            else:
                worst = max(worst, Exit.FOUND)
                _emit(session, Normalised(file, payload.line, answer, None))
                _tell_invalid(session, payload, answer)
    except StewardError as error:
        worst = Exit.FAILED
        complain("stdin" if file == "-" else file, error, debug=session.debug)
        _emit(session, Normalised(file, None, None, error))
    return worst


def _asked(
    client: Client,
    source: str | None,
    event_id: str | None,
    judging: dict[str, str | bool | None],
) -> Ask:
    """Returns what asks the daemon for the event of a payload."""
    from steward_client.validation.payloads import CloudEvent

    def ask(payload: SourcePayload) -> PayloadVerdict:
        envelope: bool | CloudEvent = True
        if source is not None:
            # The same payload has the same id, however often it is delivered or normalised.
            digest = hashlib.sha256(payload.content).hexdigest()
            envelope = CloudEvent(digest if event_id is None else event_id, source)
        return client.validate_payload(
            payload.content,
            schema=None if judging["schema"] is None else str(judging["schema"]),
            schema_version=None
            if judging["schema_version"] is None
            else str(judging["schema_version"]),
            strict=bool(judging["strict"]),
            normalise=envelope,
        )

    return ask


def _emit(session: Session, outcome: Normalised, event: bytes = b"") -> None:
    """Prints an event, or a document with it: as it came, since a number must keep its digits."""
    if session.is_json:
        members = json.dumps(document.shape(outcome))[:-1]
        click.echo(f'{members}, "event": {_ascii(event) if event else "null"}}}')
    elif event:
        # Nothing in it may steer a terminal.
        click.echo(_ascii(event) if sys.stdout.isatty() else event)


def _ascii(event: bytes) -> str:
    """Returns JSON with everything beyond ASCII escaped; that stands in strings only."""
    return _BEYOND_ASCII.sub(lambda found: json.dumps(found[0])[1:-1], event.decode())


def _tell_invalid(session: Session, payload: SourcePayload, verdict: PayloadVerdict) -> None:
    if session.is_json:
        return
    if payload.line is None:
        show_verdict(payload.place, verdict)
    else:
        warn(f"{payload.place}: {verdict_line(verdict)}", style="yellow")
