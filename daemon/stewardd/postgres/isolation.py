"""Whether programs can be run without a network, and how they are started so.

A dump is code: functions, triggers and views of somebody else's run on the server that it is restored into. On Linux
such a server gets a network namespace of its own, which needs root, or the right to make user namespaces; many
containers have neither. What the system allows is found out by trying.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from stewardd.excerpt import excerpt
from stewardd.postgres import network_launcher
from stewardd.postgres.accounts import Account

_TRIAL = ("/bin/sh", "-c", ":")
_TRIAL_TIMEOUT_S = 30.0


class IsolationMethod(StrEnum):
    """How a network namespace is made."""

    ROOT = "root"
    """by root, before it becomes the program's account"""
    USER = "user"
    """by the program's account, in a user namespace"""


@dataclass(frozen=True, slots=True)
class NetworkIsolation:
    """What is possible for an account: `method` is None where it is not, and `refusal` says why."""

    method: IsolationMethod | None
    refusal: str = ""


def find_isolation(account: Account) -> NetworkIsolation:
    """Tries what the system allows. Blocks."""
    if sys.platform != "linux":
        return NetworkIsolation(None, f"{sys.platform} has no network namespaces")
    refusals = []
    for method in IsolationMethod if account.lent else (IsolationMethod.USER,):
        status, output = account.launched_by(launcher_of(account, method)).run(
            _TRIAL, timeout_s=_TRIAL_TIMEOUT_S
        )
        if status == 0:
            return NetworkIsolation(method)
        refusals.append(excerpt(output) or f"the trial ended with status {status}")
    return NetworkIsolation(None, refusals[-1])


def isolated(account: Account, isolation: NetworkIsolation) -> Account:
    """The account, whose programs run without a network where that is possible."""
    if isolation.method is None:
        return account
    return account.launched_by(launcher_of(account, isolation.method))


def launcher_of(account: Account, method: IsolationMethod) -> tuple[str, ...]:
    """The beginning of the command line of a program that runs without a network."""
    script = str(Path(network_launcher.__file__))
    return (sys.executable, "-I", "-S", script, method.value, str(account.uid), str(account.gid))
