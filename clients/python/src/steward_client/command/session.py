"""What every command has in common: the options that stand before or after its name, and the client they make."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from steward_client.client import Client
    from steward_client.errors import StewardError


@dataclass
class Session:
    """The settings of this run of the command."""

    server: str = field(
        default_factory=lambda: os.environ.get("STEWARD_SERVER") or "localhost:50551"
    )
    timeout_s: float | None = None
    output: str = "table"
    debug: bool = False
    color: str = "auto"
    server_option: str | None = None
    """The address as --server gave it: commands that are shown to be copied need it too."""
    options: frozenset[str] = frozenset()
    """What the command that runs takes, as it is written: so that messages speak of these."""
    is_stdout_taken: bool = False
    """Whether stdout takes the bytes of a file: what people read goes to stderr then."""
    is_quiet: bool = False
    """Whether nothing is said on stderr, as in a shell that completes."""
    say: Callable[[str], None] | None = None
    """Says a line on stderr; whoever runs the command sets it."""
    _has_retried: bool = False

    @property
    def is_json(self) -> bool:
        """Whether a machine reads along."""
        return self.output == "json"

    def client(self) -> Client:
        """Returns a client of the daemon. --timeout bounds each call, short or long."""
        if not self.debug:
            # gRPC's core tells of every connection that ends, on stderr; what matters of it comes back as an error.
            os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        from steward_client.client import Client

        if self.timeout_s is None:
            return Client(self.server, on_retry=self._retrying)
        return Client(
            self.server,
            timeout_s=self.timeout_s,
            transfer_timeout_s=self.timeout_s,
            on_retry=self._retrying,
        )

    def _retrying(self, error: StewardError, _delay_s: float) -> None:
        """Says once that a call is sent again, and why."""
        if self._has_retried or self.is_quiet or self.say is None:
            return
        self._has_retried = True
        self.say(f"{error.message}; trying again")


def current() -> Session:
    """Returns the session of the command that runs; outside of one a session of its own."""
    context = click.get_current_context(silent=True)
    return (None if context is None else context.find_object(Session)) or Session()


def _keep(context: click.Context, option: click.Parameter, value: Any) -> None:
    if value is not None and option.name is not None:
        session = context.ensure_object(Session)
        setattr(session, option.name, value)
        if option.name == "server":
            session.server_option = value


def _shared_options() -> list[click.Parameter]:
    return [
        click.Option(
            ["--server"],
            metavar="ADDRESS",
            expose_value=False,
            callback=_keep,
            help="HOST:PORT or unix:///PATH of the daemon.  [env: STEWARD_SERVER; default: localhost:50551]",
        ),
        click.Option(
            ["--timeout", "timeout_s"],
            type=click.FloatRange(min=0, min_open=True),
            metavar="SECONDS",
            expose_value=False,
            callback=_keep,
            help="Give up after this time.  [default: 30, for files 3600]",
        ),
        click.Option(
            ["--output"],
            type=click.Choice(["table", "json"]),
            expose_value=False,
            callback=_keep,
            help="Output for people (table) or for programs (json).  [default: table]",
        ),
        click.Option(
            ["--color"],
            type=click.Choice(["auto", "always", "never"]),
            expose_value=False,
            callback=_keep,
            help="Colours: auto shows them on a terminal.  [default: auto]",
        ),
        click.Option(
            ["--debug"],
            is_flag=True,
            default=None,
            expose_value=False,
            callback=_keep,
            help="Show the full traceback of a failure.",
        ),
    ]


class Verb(click.Command):
    """A command that knows the shared options and shows an example, kept as it was written."""

    def __init__(self, *arguments: Any, example: str = "", **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.params = [*self.params, *_shared_options()]
        self.example = example

    def format_epilog(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the example."""
        _write_example(self.example, formatter)

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command; the session knows then what it takes."""
        written = [name for each in self.params for name in (*each.opts, each.human_readable_name)]
        ctx.ensure_object(Session).options = frozenset(written)
        return super().invoke(ctx)


class Noun(click.Group):
    """A group of verbs that knows the shared options and shows an example."""

    command_class = Verb
    group_class = type

    def __init__(self, *arguments: Any, example: str = "", **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.params = [*self.params, *_shared_options()]
        self.example = example

    def format_epilog(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the example."""
        _write_example(self.example, formatter)


def _write_example(example: str, formatter: click.HelpFormatter) -> None:
    if example:
        with formatter.section("Example"):
            formatter.write("".join(f"  {line}\n" for line in example.strip().splitlines()))


pass_session = click.make_pass_decorator(Session, ensure=True)
