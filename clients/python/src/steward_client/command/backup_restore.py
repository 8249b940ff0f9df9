"""`steward backup restore`: shows what a restore would do, then does it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

import click

from steward_client.command import document, resources, screen
from steward_client.command.completing import BACKUP, DATABASE
from steward_client.command.ending import Exit
from steward_client.command.operation import follow, show_operation
from steward_client.command.session import Session, Verb, pass_session
from steward_client.command.text import duration, many, moment, size

if TYPE_CHECKING:
    from steward_client.backups.restoring import (
        DumpFile,
        Restored,
        RestoreOptions,
        RestorePlan,
    )

_Command = TypeVar("_Command", bound=Callable[..., Any])
_OPTIONS = (
    click.option(
        "--file",
        "dump_file",
        default="",
        metavar="FILE",
        help="In the place of a backup: a dump that others made, by its path on the daemon's machine or its URL, below "
        "one of the daemon's import roots.",
    ),
    click.option(
        "--database",
        default="",
        metavar="NAME",
        type=DATABASE,
        help="Restore on the server of this database.  [default: the one that the backup is of]",
    ),
    click.option(
        "--new-database", default="", metavar="NAME", help="The new database's name on the server."
    ),
    click.option(
        "--swap",
        is_flag=True,
        help="Put the restored database in the place of the live one, which is kept under another name.",
    ),
    click.option(
        "--in-place",
        is_flag=True,
        help="Restore into the live database: what the backup holds is dropped there and made anew.",
    ),
    click.option(
        "--confirm",
        default="",
        metavar="NAME",
        help="The live database's name on its server, where it is replaced.",
    ),
    click.option("--schema", "schemas", multiple=True, metavar="NAME", help="Only this schema."),
    click.option(
        "--table", "tables", multiple=True, metavar="SCHEMA.TABLE", help="Only this table."
    ),
    click.option(
        "--jobs",
        type=click.IntRange(min=1),
        default=None,
        metavar="N",
        help="So many tables at once, of a directory.",
    ),
    click.option(
        "--create-roles", is_flag=True, help="Make the roles that the server lacks, without login."
    ),
    click.option(
        "--no-roles", is_flag=True, help="Leave owners and rights out: all is the daemon's user's."
    ),
    click.option(
        "--map-role",
        "role_map",
        multiple=True,
        metavar="ROLE=OTHER",
        help="Put a role of the server in the place of one of the backup.",
    ),
    click.option("--end-sessions", is_flag=True, help="End the live sessions that are in its way."),
    click.option(
        "--repository",
        type=click.Choice(["first", "second"]),
        default="first",
        show_default=True,
        help="Read the backup from this repository.",
    ),
    click.option(
        "--accept-unknown-signer",
        is_flag=True,
        help="Restore it also where nobody whom the daemon trusts has signed it.",
    ),
    click.option(
        "--plan", "only_plan", is_flag=True, help="Show what it would do, and do nothing."
    ),
    click.option(
        "--no-wait", is_flag=True, help="Begin it and return; the operation's name is printed."
    ),
    click.option(
        "--request-id",
        metavar="ID",
        help="Repeat an earlier request under its id: it is done once.",
    ),
)


def _restore_options(command: _Command) -> _Command:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.command(
    cls=Verb,
    example="steward backup restore backups/019a… --plan\n"
    "steward backup restore backups/019a… --new-database checked\n"
    "steward backup restore backups/019a… --swap --confirm app --end-sessions\n"
    "steward backup restore --file /srv/dumps/app.sql.gz --accept-unknown-signer",
)
@click.argument("name", metavar="[BACKUP]", type=BACKUP, required=False)
@_restore_options
@pass_session
def restore(
    session: Session,
    /,
    name: str | None,
    confirm: str,
    only_plan: bool,
    no_wait: bool,
    request_id: str | None,
    **given: Any,
) -> int:
    """Restore a backup: into a new database, and into the place of the live one where that is asked.

    What was restored is compared with the backup before anything is replaced. A dump that others made (--file) has
    nothing to compare with, and its SQL runs with the rights of the daemon's user. Ctrl-C ends the waiting, not the
    restore.
    """
    options = _read_options(given)
    if bool(name) == bool(options.dump_uri):
        raise click.UsageError("name a backup, or a dump file by --file")
    with session.client() as client:
        name = resources.backup(client, name, given["repository"]) if name else ""
        if only_plan:
            return _show_plan(session, client.get_restore_plan(name, options=options))
        operation = client.restore_backup(
            name, options=options, confirm=confirm, request_id=request_id
        )
        if not no_wait:
            operation = follow(operation, "the restore", session.timeout_s)
        if no_wait or operation.state.error is not None:
            return show_operation(session, operation.state)
        return _show(session, operation.state.outcome())


def _read_options(given: dict[str, Any]) -> RestoreOptions:
    """Returns what was given on the command line. Raises: UsageError for what contradicts itself."""
    from steward_client.backups.restoring import RestoreMode, RestoreOptions, RestoreRoles

    if given["swap"] and given["in_place"]:
        raise click.UsageError("--swap and --in-place exclude each other")
    if given["create_roles"] and given["no_roles"]:
        raise click.UsageError("--create-roles and --no-roles exclude each other")
    mode = RestoreMode.SWAP if given["swap"] else RestoreMode.NEW_DATABASE
    roles = RestoreRoles.CREATE if given["create_roles"] else RestoreRoles.REQUIRED
    return RestoreOptions(
        database=given["database"],
        mode=RestoreMode.IN_PLACE if given["in_place"] else mode,
        new_database=given["new_database"],
        schemas=given["schemas"],
        tables=given["tables"],
        jobs=given["jobs"] or 0,
        roles=RestoreRoles.IGNORE if given["no_roles"] else roles,
        role_map=dict(_pair(each) for each in given["role_map"]),
        end_sessions=given["end_sessions"],
        from_second=given["repository"] == "second",
        accept_unknown_signer=given["accept_unknown_signer"],
        dump_uri=_uri(given["dump_file"]),
    )


def _uri(text: str) -> str:
    """A URL as it is; a path, which is one of the daemon's machine, as a file URL."""
    return f"file://{quote(text)}" if text.startswith("/") else text


def _pair(text: str) -> tuple[str, str]:
    role, equals, other = text.partition("=")
    if not (role and equals and other):
        raise click.UsageError(f"--map-role is ROLE=OTHER, and not {text!r}")
    return role, other


def _show_plan(session: Session, plan: RestorePlan) -> int:
    """Prints a plan; FOUND where something stands in its way."""
    code = Exit.FOUND if plan.blockers else Exit.DONE
    if session.is_json:
        document.emit(plan)
        return code
    free = "" if plan.free_bytes is None else f", {size(plan.free_bytes)} are free"
    screen.facts(
        [
            ("backup", plan.backup),
            ("data of", "" if plan.snapshot_time is None else moment(plan.snapshot_time)),
            ("database", f"{plan.database}, on its server {plan.live_database}"),
            ("restored into", plan.target_database),
            ("live one kept as", plan.kept_database),
            *_file_facts(plan.dump_file),
            (
                "holds",
                f"{plan.rows:,} rows in {many(plan.tables, 'table')}"
                if plan.dump_file is None
                else "",
            ),
            ("from", plan.source_version),
            ("server", f"{plan.server_version}, by tools of {plan.tool_version}"),
            ("to read", size(plan.stored_size_bytes)),
            ("needs about", f"{size(plan.needed_bytes)}{free}"),
            ("missing roles", ", ".join(plan.missing_roles)),
            ("missing extensions", ", ".join(plan.missing_extensions)),
            ("sessions", str(plan.sessions)),
            ("left out", ", ".join(plan.left_out)),
            (
                "took last time",
                "" if plan.last_elapsed_s is None else duration(plan.last_elapsed_s),
            ),
            ("confirm with", plan.confirmation),
        ]
    )
    _show_not_proven(plan.not_proven)
    for each in plan.blockers:
        screen.line(f"in its way: {each.message} [{each.reason}]", style="yellow")
        if each.hint:
            screen.line(f"  next: {each.hint}")
    return code


def _show(session: Session, made: Restored) -> int:
    if session.is_json:
        document.emit(made)
        return Exit.DONE
    screen.facts(
        [
            ("backup", made.backup),
            *_file_facts(made.dump_file),
            ("restored into", made.target_database),
            ("live one kept as", made.kept_database),
            ("restored", many(made.restored_tables, "table")),
            (
                "compared",
                f"{made.compared_rows:,} rows in {many(made.compared_tables, 'table')}"
                if made.dump_file is None
                else "nothing",
            ),
            ("not compared", ", ".join(made.not_compared)),
            ("roles made", ", ".join(made.created_roles)),
            ("left out", ", ".join(made.left_out)),
            ("took", duration(made.elapsed_s)),
        ]
    )
    _show_not_proven(made.not_proven)
    return Exit.DONE


def _file_facts(file: DumpFile | None) -> list[tuple[str, str]]:
    if file is None:
        return []
    packing = "" if file.packing == "none" else f", compressed with {file.packing}"
    made_by = f", by pg_dump {file.tool_version}" if file.tool_version else ""
    return [
        ("dump file", file.uri),
        ("form", f"{file.form}{packing}{made_by}"),
        ("encoding", file.encoding),
        ("sha256", file.sha256),
    ]


def _show_not_proven(sentences: tuple[str, ...]) -> None:
    for each in sentences:
        screen.line(f"not proven: {each}")
