"""The command `steward`: a thin shell over the SDK, for people and (with --output json) for scripts.

Modules here import click and nothing heavy; gRPC and rich are loaded by the command that needs them, so that
`--help` and shell completion answer at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code; what it ends with stands in ending.py."""
    try:
        # Imported here: it takes a moment, and Ctrl-C in it is no crash either.
        from steward_client.command.ending import run
        from steward_client.command.root import root
    except KeyboardInterrupt:
        return INTERRUPTED
    asked = os.environ.get("_STEWARD_COMPLETE")
    if asked is not None:
        from click.shell_completion import shell_complete

        return shell_complete(root, {}, "steward", "_STEWARD_COMPLETE", asked)
    return run(root, list(sys.argv[1:] if arguments is None else arguments))
