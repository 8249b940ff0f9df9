"""`steward payload validate`: JSON payloads, each judged by itself, and JSON Lines, each file a batch.

The worst of all decides the exit code.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from steward_client.command import document
from steward_client.command.completing import TYPE, VERSION
from steward_client.command.ending import Exit, from_os
from steward_client.command.file_validation import FileValidation, complain, show_batch
from steward_client.command.payload.source import PayloadSource, is_lines
from steward_client.command.payload.verdict import show_verdict
from steward_client.command.session import Session, Verb, pass_session
from steward_client.errors import Cancelled, StewardError

if TYPE_CHECKING:
    from steward_client.client import Client
    from steward_client.transfer.source import FileSource
    from steward_client.validation.batch_upload import ValidationOptions
    from steward_client.validation.batches import Batch
    from steward_client.validation.payloads import PayloadVerdict
    from steward_client.validation.payloads_upload import PayloadsOptions

_EXAMPLE = """\
steward payload validate --type buddy_match match.json
steward payload validate --type ecornell_webhook events.jsonl
steward payload validate --type ecornell_webhook --lines --valid-out good.jsonl - < events.log
curl -s https://lms.example.org/event/7 | steward payload validate --type generic_webhook -
"""


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


@click.command(cls=Verb, example=_EXAMPLE)
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
    help="Send a JSON Lines file, or a payload with --quarantine, again under its id: it is kept once.",
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
    if valid_out and (len(files) > 1 or not of_lines):
        raise click.UsageError("--valid-out is for one JSON Lines file: give one file")
    if judging["request_id"] and (len(files) > 1 or not (of_lines or quarantine)):
        raise click.UsageError(
            "--request-id is for one JSON Lines file, or one payload with --quarantine: give one file"
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
            _content_of(file),
            schema=cast("str | None", judging["schema"]),
            schema_version=cast("str | None", judging["schema_version"]),
            strict=bool(judging["strict"]),
            quarantine=quarantine,
            source_file=str(judging["source_file"] or name) if quarantine else "",
            request_id=cast("str | None", judging["request_id"]),
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


def _content_of(file: str) -> bytes:
    (payload,) = PayloadSource(file, of_lines=False)
    return payload.content


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
