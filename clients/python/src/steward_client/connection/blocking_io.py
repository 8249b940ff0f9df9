"""What the plain client waits with. asyncio_io.py has the same names for the asyncio client; neither is generated.

Everything runs in the thread that calls it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from typing import ParamSpec, TypeVar

import grpc

from steward_client.connection import channel
from steward_client.connection.channel import Target

__all__ = ["Channel", "closing", "open_channel", "run_file_work", "sleep"]

P = ParamSpec("P")
T = TypeVar("T")

Channel = grpc.Channel


def open_channel(target: Target, credentials: grpc.ChannelCredentials | None) -> Channel:
    """Returns a channel that connects when it is first used; threads may share it."""
    options = channel.options(target)
    if credentials is None:
        return grpc.insecure_channel(target.address, options)
    return grpc.secure_channel(target.address, credentials, options)


def sleep(delay_s: float) -> None:
    """Waits."""
    time.sleep(delay_s)


def run_file_work(work: Callable[P, T], *arguments: P.args, **keywords: P.kwargs) -> T:
    """Runs a function that may wait for a disk."""
    return work(*arguments, **keywords)
