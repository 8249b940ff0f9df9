"""Asks the daemon about each payload of a file: several calls at once, the answers in the order of the payloads.

A thread reads the file, so that a payload of a pipe is answered as soon as it comes, and not when the next one does.
What is wrong with a payload is its answer, and the next one is asked about. Any other error ends the file.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from steward_client.command import screen
from steward_client.command.ending import from_os
from steward_client.command.payload.source import LONGEST_BYTES, PayloadSource, SourcePayload
from steward_client.command.text import count
from steward_client.errors import Exhausted, StewardError

Answer = TypeVar("Answer")

IN_FLIGHT = 8
_TOO_LARGE = "MESSAGE_TOO_LARGE"
_OF_THE_PAYLOAD = frozenset({"PAYLOAD_REFUSED", _TOO_LARGE})

_Item = tuple[SourcePayload, "Future[Answer]"] | BaseException | None


def answers(
    source: PayloadSource, ask: Callable[[SourcePayload], Answer], *, has_schema: bool = False
) -> Iterator[tuple[SourcePayload, Answer | StewardError]]:
    """Yields each payload with its answer, or with what is wrong with it. `has_schema`: one is named for all of them.

    Raises: StewardError where the file cannot be read, or the daemon not asked.
    """
    asked: queue.Queue[_Item[Answer]] = queue.Queue(IN_FLIGHT)
    title = "stdin" if source.file == "-" else source.file
    threads = ThreadPoolExecutor(IN_FLIGHT)
    reader = threading.Thread(target=_read, args=(source, ask, threads, asked), daemon=True)
    reader.start()
    try:
        with screen.bar(title) as step:
            for done, (payload, answer) in enumerate(_items(asked, source.file), start=1):
                try:
                    yield payload, answer.result()
                except StewardError as error:
                    if not _is_of_payload(error, has_schema=has_schema):
                        raise
                    yield payload, error
                step(source.read_bytes, source.size_bytes, f"{count(done)} payloads")
    finally:
        # Calls that still run end with the client. The reader may wait for room: then it finds that the calls are over.
        threads.shutdown(wait=False, cancel_futures=True)
        with contextlib.suppress(queue.Empty):
            while True:
                asked.get_nowait()


def _is_of_payload(error: StewardError, *, has_schema: bool) -> bool:
    """Whether an error says something of this payload alone, so that others may fare better."""
    is_no_webhook = any(each.field == "normalise" for each in error.field_violations)
    return error.reason in _OF_THE_PAYLOAD or (is_no_webhook and not has_schema)


def _asked(ask: Callable[[SourcePayload], Answer], payload: SourcePayload) -> Answer:
    """Asks about a payload. Raises: StewardError, also where no message can hold it."""
    if payload.is_too_long:
        raise Exhausted(
            f"the payload is longer than {LONGEST_BYTES} bytes",
            reason=_TOO_LARGE,
            hint="`steward payload validate` takes a JSON Lines file with such lines as a batch",
        )
    return ask(payload)


def _read(
    source: PayloadSource,
    ask: Callable[[SourcePayload], Answer],
    threads: ThreadPoolExecutor,
    asked: queue.Queue[_Item[Answer]],
) -> None:
    """In the reader's thread: reads payloads and starts their calls; last of all says why it ended."""
    end: BaseException | None = None
    try:
        for payload in source:
            try:
                answer = threads.submit(_asked, ask, payload)
            except RuntimeError:
                return  # the calls are over: nobody waits for another
            asked.put((payload, answer))
    except BaseException as error:  # noqa: BLE001 - the edge of the thread: it is raised where the answers are read
        end = error
    asked.put(end)


def _items(
    asked: queue.Queue[_Item[Answer]], file: str
) -> Iterator[tuple[SourcePayload, Future[Answer]]]:
    while (item := asked.get()) is not None:
        if isinstance(item, OSError):
            raise from_os(item, file)
        if isinstance(item, BaseException):
            raise item
        yield item
