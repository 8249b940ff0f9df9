"""`steward health`: the daemon and what it needs, at a glance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from steward_client.command import document, screen
from steward_client.command.ending import Exit
from steward_client.command.session import Session, Verb, pass_session
from steward_client.command.text import duration, many, size

if TYPE_CHECKING:
    from steward_client.health.types import BackupFacts, Component, HealthState


@click.command(cls=Verb, example="steward health\nsteward health --output json | jq -r .state")
@pass_session
def health(session: Session) -> int:
    """Show the state of the daemon and its parts. Exit code: 0 healthy, 1 degraded, 3 down or not reached."""
    with session.client() as client:
        seen = client.health()
    if session.is_json:
        document.emit(seen)
        return _code(seen.state)
    style = screen.STYLES[seen.state.value]
    screen.line(
        f"stewardd {seen.version} is {seen.state}, up {duration(seen.uptime_s)}", style=style
    )
    rows = [(each.name, each.state.value, _detail(each)) for each in seen.components]
    screen.table(
        ("Component", "State", "Detail"), rows, states="State", names=("Component",), indent=2
    )
    return _code(seen.state)


def _code(state: HealthState) -> int:
    codes = {"healthy": Exit.DONE, "degraded": Exit.FOUND}
    return codes.get(state.value, Exit.FAILED)


def _detail(component: Component) -> str:
    """Returns the facts and the notice of what is well, and of what is not why it is not."""
    if component.state.value != "healthy":
        return component.detail or _facts(component)
    return "; ".join(filter(None, (_facts(component), component.detail)))


def _facts(component: Component) -> str:
    if component.database is not None:
        database, pool = component.database, component.database.pool
        embedded = " (embedded)" if database.embedded else ""
        version = (
            f"PostgreSQL {database.server_version}{embedded}, " if database.server_version else ""
        )
        return (
            f"{version}answers in {duration(database.latency_s)}, "
            f"{pool.size} of {pool.max_size} connections open, {pool.idle} idle, {pool.waiting} waiting"
            + (
                f", {many(database.leaks, 'connection')} held for too long"
                if database.leaks
                else ""
            )
        )
    if component.repository is not None:
        repository = component.repository
        free = "" if repository.free_bytes is None else f", {size(repository.free_bytes)} free"
        return f"{repository.url}{'' if repository.writable else ', not writable'}{free}"
    if component.backup is not None:
        return _backups(component.backup)
    return ""


def _backups(facts: BackupFacts) -> str:
    said = []
    if facts.last_backup:
        age_s = facts.last_backup_age_s
        age = "" if age_s is None else f", {duration(age_s)} old"
        said.append(f"last {facts.last_backup}{age}")
    if facts.running:
        said.append(f"{facts.running} running")
    return ", ".join(said)
