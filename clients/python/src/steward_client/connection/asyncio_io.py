"""What the asyncio client waits with. blocking_io.py has the same names for the plain client; neither is generated.

A file is read and written in a thread, so that a slow disk holds up no other task.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing as closing
from typing import ParamSpec, TypeVar

import grpc
import grpc.aio

from steward_client.connection import channel
from steward_client.connection.channel import Target

__all__ = ["Channel", "closing", "open_channel", "run_file_work", "sleep"]

P = ParamSpec("P")
T = TypeVar("T")

Channel = grpc.aio.Channel


def open_channel(target: Target, credentials: grpc.ChannelCredentials | None) -> Channel:
    """Returns a channel that connects when it is first used; it belongs to the event loop that runs now."""
    options = channel.options(target)
    if credentials is None:
        return grpc.aio.insecure_channel(target.address, options)
    return grpc.aio.secure_channel(target.address, credentials, options)


async def sleep(delay_s: float) -> None:
    """Waits, and lets other tasks run meanwhile."""
    await asyncio.sleep(delay_s)


async def run_file_work(work: Callable[P, T], *arguments: P.args, **keywords: P.kwargs) -> T:
    """Runs a function that may wait for a disk, in a thread."""
    return await asyncio.to_thread(work, *arguments, **keywords)
