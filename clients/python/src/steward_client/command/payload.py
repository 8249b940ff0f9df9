"""`steward payload validate`: JSON payloads, each judged by itself; the worst of them decides the exit code."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from steward_client.command import document, screen
from steward_client.command.completing import TYPE, VERSION
from steward_client.command.ending import Exit, describe, from_os, warn
from steward_client.command.session import Noun, Session, Verb, pass_session
from steward_client.command.text import many, short_name, shown
from steward_client.errors import Cancelled, StewardError

if TYPE_CHECKING:
    from steward_client.client import Client
    from steward_client.validation.payloads import PayloadVerdict

_VALIDATE_EXAMPLE = """\
steward payload validate --type buddy_match match.json
curl -s https://lms.example.org/event/7 | steward payload validate --type generic_webhook -
"""
_MOST_MEMBERS = 20


@dataclass(frozen=True)
class PayloadOutcome:
    """What became of one payload."""

    file: str
    verdict: PayloadVerdict | None
    error: StewardError | None
    exit_code: int


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
@pass_session
def validate(
    session: Session,
    files: tuple[str, ...],
    schema: str | None,
    schema_version: str | None,
    strict: bool,
) -> int:
    """Judge JSON files, each one payload. `-` reads stdin. Nothing is kept.

    Exit code: 0 all valid, 1 a payload is invalid, 3 refused or failed (a file that is not there too);
    of several files the worst.
    """
    outcomes: list[PayloadOutcome] = []
    with session.client() as client, screen.bar("payloads") as step:
        for number, file in enumerate(files):
            step(number, len(files), file)
            outcome = _judged(client, file, schema, schema_version, strict=strict)
            outcomes.append(outcome)
            if outcome.exit_code == Exit.INTERRUPTED:
                break
    for outcome in outcomes:
        _tell(session, outcome)
    worst = max(outcome.exit_code for outcome in outcomes)
    if session.is_json:
        document.emit({"payloads": outcomes, "exit_code": worst})
    return worst


def content_of(file: str) -> bytes:
    """Returns the bytes of a file; `-` is stdin. Raises: OSError."""
    if file != "-":
        return Path(file).read_bytes()
    with open(0, "rb", closefd=False) as stdin:
        return stdin.read()


def _judged(
    client: Client, file: str, schema: str | None, version: str | None, *, strict: bool
) -> PayloadOutcome:
    try:
        verdict = client.validate_payload(
            content_of(file), schema=schema, schema_version=version, strict=strict
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
        if session.debug:
            traceback.print_exception(outcome.error)
        message, hint = describe(outcome.error, session)
        warn(f"{name}: {message}", hint)
    elif outcome.verdict is not None and not session.is_json:
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
    if verdict.unknown_members:
        named = ", ".join(shown(each) for each in verdict.unknown_members[:_MOST_MEMBERS])
        rest = len(verdict.unknown_members) - _MOST_MEMBERS
        more = f" and {many(rest, 'other')}" if rest > 0 else ""
        screen.line(
            f"unknown members, kept and not judged: {named}{more}", style="yellow", indent=2
        )
