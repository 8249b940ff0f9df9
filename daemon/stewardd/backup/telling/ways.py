"""The two ways to tell: an HTTP POST, and a command that reads the message. Each is tried once, within its time."""

from __future__ import annotations

import asyncio
import time
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from stewardd.backup.telling.signature import signed_headers
from stewardd.excerpt import Excerpt
from stewardd.postgres.variables import child_environment

_READ_BYTES = 4096


class NotTold(Exception):
    """A message did not arrive; it may at the next attempt."""


@dataclass(frozen=True, slots=True)
class TellMessage:
    """A message: its id, which stays the same over attempts, and its JSON."""

    message_id: str
    body: bytes


class Way(Protocol):
    """How messages are told."""

    async def tell(self, message: TellMessage, timeout_s: float) -> None:
        """Tells a message once. Raises: NotTold."""
        ...


@dataclass(frozen=True, slots=True)
class Webhook:
    """A POST to a URL of the configuration, signed where there is a key. No redirect is followed, no proxy asked."""

    url: str
    key: bytes | None

    async def tell(self, message: TellMessage, timeout_s: float) -> None:
        """See Way.tell."""
        headers = signed_headers(message.message_id, int(time.time()), message.body, self.key)
        request = urllib.request.Request(self.url, message.body, headers, method="POST")  # noqa: S310  # http(s) only
        await asyncio.to_thread(_post, request, timeout_s)

    def __repr__(self) -> str:
        return f"a webhook at {urlsplit(self.url).hostname}"  # the path may hold a token


@dataclass(frozen=True, slots=True)
class Command:
    """A command of the configuration, which reads the message from its standard input. It is killed after its time."""

    argv: Sequence[str]

    async def tell(self, message: TellMessage, timeout_s: float) -> None:
        """See Way.tell."""
        pipe = asyncio.subprocess.PIPE
        try:
            process = await asyncio.create_subprocess_exec(
                *self.argv,
                stdin=pipe,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=pipe,
                env=child_environment(),
            )
        except OSError as error:
            raise NotTold(error.strerror or "it cannot be started") from None
        said = Excerpt([])
        try:
            async with asyncio.timeout(timeout_s):
                await _converse(process, message.body, said)
        except TimeoutError:
            raise NotTold(f"it took longer than {timeout_s:g} s") from None
        finally:
            with suppress(ProcessLookupError):
                process.kill()
        if process.returncode != 0:
            raise NotTold(f"it ended with status {process.returncode}: {said.text()}")

    def __repr__(self) -> str:
        return f"the command {self.argv[0]}"


async def _converse(process: asyncio.subprocess.Process, body: bytes, said: Excerpt) -> None:
    assert process.stdin is not None
    assert process.stderr is not None
    with suppress(BrokenPipeError, ConnectionResetError):  # one that reads nothing
        process.stdin.write(body)
        await process.stdin.drain()
        process.stdin.close()
    while chunk := await process.stderr.read(_READ_BYTES):
        said.feed(chunk)
    await process.wait()


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """Follows none: what is signed for one receiver goes to no other."""


def _post(request: urllib.request.Request, timeout_s: float) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect)
    try:
        with opener.open(request, timeout=timeout_s) as answer:
            answer.read(_READ_BYTES)
    except HTTPError as error:
        with error:
            raise NotTold(f"it answered {error.code}") from None
    except (URLError, OSError, ValueError) as error:
        raise NotTold(str(getattr(error, "reason", error))) from None
