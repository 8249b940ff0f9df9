"""`steward payload validate`: JSON payloads, each judged by itself, and JSON Lines, each file a batch.

The worst of all decides the exit code.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from steward_client.command import document, screen
from steward_client.command.completing import TYPE, VERSION
from steward_client.command.ending import Exit, from_os
from steward_client.command.file_validation import FileValidation, complain, show_batch
from steward_client.command.session import Noun, Session, Verb, pass_session
from steward_client.command.text import many, short_name, shown
from steward_client.errors import Cancelled, StewardError

if TYPE_CHECKING:
    from steward_client.client import Client
    from steward_client.transfer.source import FileSource
    from steward_client.validation.batch_upload import ValidationOptions
    from steward_client.validation.batches import Batch
    from steward_client.validation.payloads import PayloadVerdict
    from steward_client.validation.payloads_upload import PayloadsOptions

_VALIDATE_EXAMPLE = """\
steward payload validate --type buddy_match match.json
steward payload validate --type ecornell_webhook events.jsonl
steward payload validate --type ecornell_webhook --lines --valid-out good.jsonl - < events.log
curl -s https://lms.example.org/event/7 | steward payload validate --type generic_webhook -
"""
_MOST_MEMBERS = 20


@dataclass(frozen=True)
class PayloadOutcome:
    """What became of one file: a verdict, or of JSON Lines a batch."""

    file: str
    verdict: PayloadVerdict | None
    error: StewardError | None
    exit_code: int
    batch: Batch | None = None
    valid_out: str | None = None


class LinesValidation(FileValidation):
    """One JSON Lines file."""

    valid_file = "valid.jsonl"
    records = "payloads"

    def _send(self, source: FileSource, judging: ValidationOptions) -> Batch:
        options = cast("PayloadsOptions", dict(judging))
        cast("dict[str, object]", options).pop("keep_valid_rows", None)
        options["keep_valid_payloads"] = self._target is not None
        return self._client.validate_payloads(source, **options)


@click.group(cls=Noun, example="steward payload validate --type buddy_match match.json")
def payload() -> None:
    """Judge JSON payloads, such as the bodies of webhooks."""


@payload.command(cls=Verb, example=_VALIDATE_EXAMPLE)
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path())
@click.option("--type", "schema", metavar="TYPE", type=TYPE, help="The type of the payloads.")
@click.option(
    "--schema-version", metavar="V", type=VERSION, help="Its version.  [default: the newest]"
)
@click.option(
    "--strict", is_flag=True, help="A member that the schema does not name is a violation."
)
@click.option("--quarantine", is_flag=True, help="Keep a payload that is invalid in quarantine.")
@click.option(
    "--lines",
    is_flag=True,
    help="Each file is JSON Lines, whatever its name.  [default: *.jsonl and *.ndjson are]",
)
@click.option(
    "--valid-out",
    type=click.Path(),
    metavar="PATH",
    help="Write the valid payloads of a JSON Lines file there, byte for byte as they came.",
)
@click.option("--force", is_flag=True, help="Write over a file that --valid-out names.")
@click.option(
    "--source-file",
    metavar="NAME",
    help="The name to keep with payloads in quarantine.  [default: the file's]",
)
@click.option(
    "--request-id",
    metavar="ID",
    help="Send a JSON Lines file again under its id: no second batch comes of it.",
)
@pass_session
def validate(
    session: Session,
    /,
    files: tuple[str, ...],
    quarantine: bool,
    lines: bool,
    valid_out: str | None,
    force: bool,
    **judging: str | bool | None,
) -> int:
    """Judge JSON files: one payload a file, or a line in JSON Lines. `-` reads stdin.

    A JSON Lines file becomes a batch, and its invalid payloads go to quarantine. Of other files nothing is kept, unless
    --quarantine is given.

    Exit code: 0 all valid, 1 a payload is invalid, 3 refused or failed (a file that is not there too);
    of several files the worst.
    """
    of_lines = {file for file in files if lines or is_lines(file)}
    if (valid_out or judging["request_id"]) and (len(files) > 1 or not of_lines):
        raise click.UsageError(
            "--valid-out and --request-id are for one JSON Lines file: give one file"
        )
    target = None if valid_out is None else Path(valid_out)
    outcomes: list[PayloadOutcome] = []
    with session.client() as client:
        for file in files:
            if file in of_lines:
                outcome = _lines_judged(client, file, target, judging, force=force)
            else:
                outcome = _judged(client, file, judging, quarantine=quarantine)
            outcomes.append(outcome)
            _tell(session, outcome)
            if outcome.exit_code == Exit.INTERRUPTED:
                break
    worst = max(outcome.exit_code for outcome in outcomes)
    if session.is_json:
        document.emit({"payloads": outcomes, "exit_code": worst})
    return worst


@payload.command(cls=Verb, example="steward payload detect webhook.json")
@click.argument("file", metavar="FILE", type=click.Path())
@pass_session
def detect(session: Session, file: str) -> int:
    """Say which schema a JSON payload detects by its structure. `-` reads stdin."""
    with session.client() as client:
        found = client.detect_payload(content_of(file))
    if session.is_json:
        document.emit({"file": file, "schema": found.schema})
    else:
        screen.line(f"{'stdin' if file == '-' else file}: {short_name(found.schema)}")
    return Exit.DONE


@payload.command(cls=Verb, example="steward payload normalise webhook.json > event.json")
@click.argument("file", metavar="FILE", type=click.Path())
@click.option(
    "--type",
    "schema",
    metavar="TYPE",
    type=TYPE,
    help="The type of the payload.  [default: detected]",
)
@pass_session
def normalise(session: Session, file: str, schema: str | None) -> int:
    """Print the event that a valid webhook is normalised into, as JSON. `-` reads stdin.

    Exit code: 0 it is printed, 1 the payload is invalid, 3 refused or failed.
    """
    with session.client() as client:
        verdict = client.validate_payload(content_of(file), schema=schema, normalise=True)
    if verdict.valid:
        click.echo(verdict.event.decode())
        return Exit.DONE
    if session.is_json:
        document.emit({"file": file, "verdict": verdict})
    else:
        show_verdict("stdin" if file == "-" else file, verdict)
    return Exit.FOUND


def is_lines(file: str) -> bool:
    """Whether the name of a file says that it is JSON Lines."""
    name = file.lower()
    for ending in (".gz", ".zst"):
        name = name.removesuffix(ending)
    return name.endswith((".jsonl", ".ndjson"))


def content_of(file: str) -> bytes:
    """Returns the bytes of a file; `-` is stdin. Raises: OSError."""
    if file != "-":
        return Path(file).read_bytes()
    with open(0, "rb", closefd=False) as stdin:
        return stdin.read()


def _lines_judged(
    client: Client,
    file: str,
    target: Path | None,
    judging: dict[str, str | bool | None],
    *,
    force: bool,
) -> PayloadOutcome:
    done = LinesValidation(client, file, target, is_uri=False, force=force).validate(judging)
    return PayloadOutcome(file, None, done.error, done.exit_code, done.batch, done.valid_out)


def _judged(
    client: Client, file: str, judging: dict[str, str | bool | None], *, quarantine: bool
) -> PayloadOutcome:
    name = "stdin" if file == "-" else Path(file).name
    try:
        verdict = client.validate_payload(
            content_of(file),
            schema=cast("str | None", judging["schema"]),
            schema_version=cast("str | None", judging["schema_version"]),
            strict=bool(judging["strict"]),
            quarantine=quarantine,
            source_file=str(judging["source_file"] or name) if quarantine else "",
        )
    except KeyboardInterrupt:
        return PayloadOutcome(
            file, None, Cancelled("interrupted; nothing is kept"), Exit.INTERRUPTED
        )
    except OSError as error:
        return PayloadOutcome(file, None, from_os(error, file), Exit.FAILED)
    except StewardError as error:
        return PayloadOutcome(file, None, error, Exit.FAILED)
    return PayloadOutcome(file, verdict, None, Exit.DONE if verdict.valid else Exit.FOUND)


def _tell(session: Session, outcome: PayloadOutcome) -> None:
    name = "stdin" if outcome.file == "-" else outcome.file
    if outcome.error is not None:
        complain(name, outcome.error, debug=session.debug)
    if session.is_json:
        return
    if outcome.batch is not None:
        show_batch(outcome.file, outcome.batch, outcome.valid_out)
    elif outcome.verdict is not None:
        show_verdict(name, outcome.verdict)


def show_verdict(name: str, verdict: PayloadVerdict) -> None:
    """Prints a verdict for people."""
    kind = short_name(verdict.schema)
    if verdict.valid:
        screen.line(f"{name}: a valid {kind}", style="bold green")
    else:
        found = many(verdict.total_violations, "violation")
        screen.line(f"{name}: no valid {kind}, {found}", style="bold yellow")
        rows = [
            (each.pointer or "the payload", each.keyword, shown(each.value or ""), each.message)
            for each in verdict.violations
        ]
        screen.table(
            ("Member", "Rule", "Value", "What is wrong"),
            rows,
            names=("Member",),
            values=("Value",),
            indent=2,
        )
    if verdict.row:
        batch, _, number = verdict.row.partition("/rows/")
        screen.command("in quarantine:", f"steward quarantine show {batch} {number}")
    if verdict.unknown_members:
        named = ", ".join(shown(each) for each in verdict.unknown_members[:_MOST_MEMBERS])
        rest = len(verdict.unknown_members) - _MOST_MEMBERS
        more = f" and {many(rest, 'other')}" if rest > 0 else ""
        screen.line(
            f"unknown members, kept and not judged: {named}{more}", style="yellow", indent=2
        )
