"""`steward schedule create | list | show | pause | resume | delete`: backups that are made at times."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from steward_client.command import document, screen
from steward_client.command.completing import DATABASE, SCHEDULE
from steward_client.command.ending import Exit
from steward_client.command.quarantine.options import actor_option
from steward_client.command.session import Noun, Session, Verb, pass_session
from steward_client.command.text import duration, many, moment

if TYPE_CHECKING:
    from steward_client.schedules.types import Schedule, ScheduleRun

_NAME = click.argument("name", metavar="SCHEDULE", type=SCHEDULE)


@click.group(
    cls=Noun,
    example="steward schedule create nightly --cron '30 2 * * *' --time-zone Europe/Berlin",
)
def schedule() -> None:
    """Have backups made at times. Of all daemons on a repository one makes each."""


@schedule.command(
    cls=Verb,
    example="steward schedule create nightly --cron '30 2 * * *' --time-zone Europe/Berlin\n"
    "steward schedule create often --every 6h --jitter 10m",
)
@click.argument("name", metavar="SCHEDULE")
@click.option(
    "--database",
    default="",
    metavar="NAME",
    type=DATABASE,
    help="Its configured name.  [default: the only one]",
)
@click.option(
    "--cron",
    default="",
    metavar="FIELDS",
    help="Minute, hour, day of the month, month, day of the week.",
)
@click.option(
    "--time-zone", default="UTC", show_default=True, metavar="ZONE", help="Whose hours these are."
)
@click.option(
    "--every", "interval", default="", metavar="TIME", help="Or so often: 30s, 15m, 6h, 2d."
)
@click.option(
    "--jitter", default="", metavar="TIME", help="Begin later by up to so much, by chance."
)
@click.option("--description", default="", metavar="TEXT", help="A note that its backups get.")
@click.option("--paused", is_flag=True, help="Make it, and run nothing yet.")
@actor_option
@pass_session
def create(
    session: Session,
    name: str,
    database: str,
    cron: str,
    time_zone: str,
    interval: str,
    jitter: str,
    description: str,
    paused: bool,
    actor: str,
) -> int:
    """Make a schedule, by a cron expression or an interval."""
    with session.client() as client:
        made = client.create_schedule(
            name,
            database=database,
            cron=cron,
            time_zone=time_zone,
            interval_s=_seconds(interval),
            jitter_s=_seconds(jitter),
            description=description,
            paused=paused,
            actor=actor,
        )
    return _show(session, made)


@schedule.command("list", cls=Verb, example="steward schedule list")
@pass_session
def list_(session: Session) -> int:
    """List the schedules, by name."""
    with session.client() as client:
        found = list(client.list_schedules(page_size=1000))
    if session.is_json:
        document.emit({"schedules": found})
        return Exit.DONE
    if not found:
        screen.line("there is no schedule yet")
        screen.command("make one:", "steward schedule create nightly --cron '30 2 * * *'")
        return Exit.DONE
    screen.table(
        ("Schedule", "Database", "When", "Next run", "Last run"),
        [
            (
                _short(each),
                each.database,
                _when(each),
                _next(each),
                _run(each.last_run),
            )
            for each in found
        ],
        names=("Schedule",),
        optional=("Database",),
    )
    return Exit.DONE


@schedule.command(cls=Verb, example="steward schedule show nightly")
@_NAME
@pass_session
def show(session: Session, name: str) -> int:
    """Show one schedule, with its next and its last run."""
    with session.client() as client:
        return _show(session, client.get_schedule(name))


@schedule.command(cls=Verb, example="steward schedule pause nightly")
@_NAME
@actor_option
@pass_session
def pause(session: Session, name: str, actor: str) -> int:
    """Pause a schedule: nothing is run, and what comes meanwhile is not made up for."""
    with session.client() as client:
        return _show(session, client.update_schedule(name, paused=True, actor=actor))


@schedule.command(cls=Verb, example="steward schedule resume nightly")
@_NAME
@actor_option
@pass_session
def resume(session: Session, name: str, actor: str) -> int:
    """Resume a schedule that was paused."""
    with session.client() as client:
        return _show(session, client.update_schedule(name, paused=False, actor=actor))


@schedule.command(cls=Verb, example="steward schedule delete nightly")
@_NAME
@actor_option
@pass_session
def delete(session: Session, name: str, actor: str) -> int:
    """Delete a schedule. Its backups stay, and one that it has begun goes on."""
    with session.client() as client:
        client.delete_schedule(name, actor=actor)
    if session.is_json:
        document.emit({"deleted": name})
    else:
        screen.line(f"{name} is deleted")
    return Exit.DONE


_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def _seconds(text: str) -> float:
    """Returns a length of time in seconds; none where nothing is given.

    >>> _seconds("90s"), _seconds("1.5h"), _seconds("")
    (90.0, 5400.0, 0.0)
    """
    if not text:
        return 0.0
    try:
        return float(text[:-1]) * _UNITS[text[-1]]
    except (KeyError, ValueError):
        raise click.UsageError(f"{text} is no length of time, such as 30s, 15m, 6h or 2d") from None


def _show(session: Session, found: Schedule) -> int:
    if session.is_json:
        document.emit(found)
        return Exit.DONE
    screen.facts(
        [
            ("schedule", f"{_short(found)}{' (of the configuration)' if found.configured else ''}"),
            ("database", found.database),
            ("when", _when(found)),
            ("description", found.description),
            ("next run", _next(found)),
            ("last run", _run(found.last_run)),
        ]
    )
    return Exit.DONE


def _short(found: Schedule) -> str:
    return found.name.partition("/")[2]


def _when(found: Schedule) -> str:
    when = (
        f"{found.cron} ({found.time_zone})" if found.cron else f"every {duration(found.interval_s)}"
    )
    return when + (f", up to {duration(found.jitter_s)} later" if found.jitter_s else "")


def _next(found: Schedule) -> str:
    if found.paused:
        return "paused"
    return "never" if found.next_run_time is None else moment(found.next_run_time)


def _run(run: ScheduleRun | None) -> str:
    if run is None:
        return ""
    tries = f" in {many(run.attempts, 'attempt')}" if run.attempts > 1 else ""
    return f"{moment(run.due_time)}, {'done' if run.succeeded else run.reason}{tries}"
