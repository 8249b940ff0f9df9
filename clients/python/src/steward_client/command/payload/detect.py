"""`steward payload detect`: which schema each payload detects, of JSON Lines line by line."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import click

from steward_client.command import document, screen
from steward_client.command.ending import Exit
from steward_client.command.file_validation import complain
from steward_client.command.payload.asking import answers
from steward_client.command.payload.source import PayloadSource, is_lines
from steward_client.command.session import Session, Verb, pass_session
from steward_client.command.text import short_name
from steward_client.errors import StewardError

_EXAMPLE = """\
steward payload detect webhook.json
steward payload detect deliveries.jsonl
steward payload detect --lines --output json - < events.log
"""


@dataclass(frozen=True)
class Detected:
    """What became of one payload, or of a file that could not be read."""

    file: str
    line: int | None
    schema: str | None
    error: StewardError | None


@click.command(cls=Verb, example=_EXAMPLE)
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path())
@click.option(
    "--lines",
    is_flag=True,
    help="Each file is JSON Lines, whatever its name.  [default: *.jsonl and *.ndjson are]",
)
@pass_session
def detect(session: Session, /, files: tuple[str, ...], lines: bool) -> int:
    """Say which schema each JSON payload detects by its structure. `-` reads stdin.

    A file has one payload, a JSON Lines file one on each line.

    Exit code: 0 each payload detects a schema, 3 one does not, or a file failed.
    """
    worst = Exit.DONE
    with session.client() as client:
        for file in files:
            source = PayloadSource(file, of_lines=lines or is_lines(file))
            try:
                for payload, answer in answers(
                    source, lambda each: client.detect_payload(each.content)
                ):
                    if isinstance(answer, StewardError):
                        worst = Exit.FAILED
                        _tell(session, payload.place, Detected(file, payload.line, None, answer))
                    else:
                        found = Detected(file, payload.line, answer.schema, None)
                        _tell(session, payload.place, found)
            except StewardError as error:
                worst = Exit.FAILED
                _tell(session, file, Detected(file, None, None, error))
    return worst


def _tell(session: Session, place: str, found: Detected) -> None:
    if found.error is not None:
        complain(place, found.error, debug=session.debug)
    if session.is_json:
        document.emit_line(found)
    elif found.schema is not None:
        screen.line(f"{place}: {short_name(found.schema)}")
        sys.stdout.flush()
