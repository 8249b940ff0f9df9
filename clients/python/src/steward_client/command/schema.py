"""`steward schema list | show | detect | diagram`."""

from __future__ import annotations

import json

import click

from steward_client.command import document, screen
from steward_client.command.completing import DATABASE, TYPE, VERSION
from steward_client.command.database import found_database
from steward_client.command.ending import Exit
from steward_client.command.session import Noun, Session, Verb, pass_session
from steward_client.command.text import short_name


@click.group(cls=Noun, example="steward schema show language_session 1.1")
def schema() -> None:
    """Show the schemas that rows and payloads are validated with, and the tables of a database."""


@schema.command("list", cls=Verb, example="steward schema list\nsteward schema list --kind payload")
@click.option(
    "--kind", type=click.Choice(["csv", "payload", "event"]), help="Only schemas of this kind."
)
@pass_session
def list_(session: Session, kind: str | None) -> int:
    """List every version of every schema, of rows (csv) and of JSON payloads (payload)."""
    with session.client() as client:
        schemas = list(client.list_schemas(kind=kind, page_size=1000))
    if session.is_json:
        document.emit({"schemas": schemas})
        return Exit.DONE
    rows = [
        (
            *_parts(each.name),
            each.kind.value,
            each.effective_date,
            str(len(each.columns) + len(each.members)),
            "deprecated" if each.deprecated else "",
        )
        for each in schemas
    ]
    screen.table(
        ("Type", "Version", "Kind", "In effect from", "Fields", ""),
        rows,
        numbers=("Fields",),
        names=("Type", "Version"),
    )
    return Exit.DONE


@schema.command(
    cls=Verb,
    example="steward schema show language_session\nsteward schema show language_session 1.0 --document > schema.json",
)
@click.argument("kind", metavar="TYPE", type=TYPE)
@click.argument("version", metavar="[VERSION]", required=False, type=VERSION)
@click.option(
    "--document", "is_document", is_flag=True, help="Print the JSON Schema document itself."
)
@pass_session
def show(session: Session, kind: str, version: str | None, is_document: bool) -> int:
    """Show the columns or members of a schema. Without a version, the newest one is shown."""
    with session.client() as client:
        found = client.get_schema(kind, version)
    if is_document:
        click.echo(json.dumps(json.loads(found.document), indent=2))
        return Exit.DONE
    if session.is_json:
        document.emit({**document.shape(found), "document": json.loads(found.document)})
        return Exit.DONE
    since = f", in effect from {found.effective_date}" if found.effective_date else ""
    deprecated = ", deprecated" if found.deprecated else ""
    screen.line(f"{short_name(found.name)}{since}{deprecated}", style="bold")
    fields = [(each.name, each.required, each.pii) for each in found.columns]
    fields += [(each.pointer, each.required, each.pii) for each in found.members]
    rows = [
        (name, "required" if required else "", "personal data" if pii else "")
        for name, required, pii in fields
    ]
    title = "Member" if found.members else "Column"
    screen.table((title, "Needed", "Kind"), rows, names=(title,), indent=2)
    for warning in found.warnings:
        screen.line(f"warning: {warning}", style="yellow")
    screen.command("the rules:", f"steward schema show {' '.join(_parts(found.name))} --document")
    return Exit.DONE


@schema.command(cls=Verb, example="steward schema detect sessions.csv")
@click.argument("file", metavar="FILE", type=click.Path())
@pass_session
def detect(session: Session, file: str) -> int:
    """Say which schema fits the header of a file best. `-` reads stdin."""
    from steward_client.command.header import columns

    names = columns(file)
    with session.client() as client:
        found = client.detect_schema(names)
    if session.is_json:
        document.emit({"file": file, "columns": names, **document.shape(found)})
        return Exit.DONE
    from steward_client.command.columns import show as show_difference

    screen.line(f"{file}: {short_name(found.schema)}")
    show_difference(found)
    return Exit.DONE


@schema.command(
    cls=Verb,
    example="steward schema diagram > database.md\nsteward schema diagram main --mermaid > database.mmd",
)
@click.argument("name", metavar="[DATABASE]", required=False, default="", type=DATABASE)
@click.option("--mermaid", "is_mermaid", is_flag=True, help="Print only the diagram.")
@pass_session
def diagram(session: Session, name: str, is_mermaid: bool) -> int:
    """Print the tables of a database as they are now: a diagram (Mermaid), and tables of all that there is (Markdown).

    DATABASE is its name in the configuration.  [default: the only one]
    """
    with session.client() as client:
        found = client.render_diagram(found_database(client, name))
    if session.is_json:
        document.emit(found)
    elif is_mermaid:
        screen.verbatim(found.mermaid)
    else:
        screen.verbatim(f"# {found.database}\n\n```mermaid\n{found.mermaid}```\n\n{found.markdown}")
    return Exit.DONE


def _parts(name: str) -> tuple[str, str]:
    kind, _, version = name.removeprefix("schemas/").partition("/versions/")
    return kind, version
