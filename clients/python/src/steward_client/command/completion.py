"""`steward completion bash|zsh|fish`: the script that makes the shell complete this command."""

from __future__ import annotations

import click

from steward_client.command.ending import Exit
from steward_client.command.session import Verb


@click.command(
    cls=Verb,
    example='eval "$(steward completion bash)"        # in ~/.bashrc\n'
    'eval "$(steward completion zsh)"         # in ~/.zshrc\n'
    "steward completion fish > ~/.config/fish/completions/steward.fish",
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> int:
    """Print the script that completes `steward` in a shell."""
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"there is no completion for {shell}")
    click.echo(found(context.find_root().command, {}, "steward", "_STEWARD_COMPLETE").source())
    return Exit.DONE
