"""libpq's environment variables, and who sees them: the configured databases, and nobody else.

The rule is the prefix, not a list: libpq gets new variables with each version (PGCHANNELBINDING, PGREQUIREAUTH, …), and
all of them begin with PG. What they say holds for databases of the configuration, through the daemon's own connection;
from there a child process is told everything explicitly (see pinning.py), and is given none of them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping

_PREFIX = "PG"
ENGLISH = {"LC_ALL": "C"}
"""For a tool whose messages are read (see causes.py)."""


def child_environment(added: Mapping[str, str] | None = None) -> dict[str, str]:
    """Returns the environment of a child process: the daemon's own, without libpq's variables."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_PREFIX)}
    return kept | dict(added or {})


def forget_variables(environment: MutableMapping[str, str]) -> list[str]:
    """Removes libpq's variables from an environment. Returns the names of those that were there."""
    found = sorted(name for name in environment if name.startswith(_PREFIX))
    for name in found:
        del environment[name]
    return found
