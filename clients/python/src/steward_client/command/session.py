"""What every command has in common: the options that stand before or after its name, and the client they make."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from steward_client.client import Client


@dataclass
class Session:
    """The settings of this run of the command."""

    server: str = field(
        default_factory=lambda: os.environ.get("STEWARD_SERVER") or "localhost:50551"
    )
    timeout_s: float | None = None
    output: str = "table"
    debug: bool = False

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
            return Client(self.server)
        return Client(self.server, timeout_s=self.timeout_s, transfer_timeout_s=self.timeout_s)


def _keep(context: click.Context, option: click.Parameter, value: Any) -> None:
    if value is not None and option.name is not None:
        setattr(context.ensure_object(Session), option.name, value)


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
            help="Give up after so long.  [default: 30, for files 3600]",
        ),
        click.Option(
            ["--output"],
            type=click.Choice(["table", "json"]),
            expose_value=False,
            callback=_keep,
            help="For people or for machines.  [default: table]",
        ),
        click.Option(
            ["--debug"],
            is_flag=True,
            default=None,
            expose_value=False,
            callback=_keep,
            help="Show the whole story of a failure.",
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
