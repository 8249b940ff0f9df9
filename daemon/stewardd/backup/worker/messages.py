"""The messages between the daemon and a worker process: one JSON object a line.

The job goes in by stdin, since it holds secrets; stdin then stays open, and its end tells the worker that the daemon is
gone. Events come out by stdout, the last one a result or WorkerFailed. Daemon and worker are of one version, so that
reading is plain; a worker that breaks off in the middle of a line has failed by its exit status.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

J = TypeVar("J")
E = TypeVar("E")


class Messages(Generic[J, E]):
    """The messages of one kind of worker: its job, and its events."""

    def __init__(self, job: type[J], events: Iterable[type[E]]) -> None:
        self._job = job
        self._events = {cls.__name__: cls for cls in events}
        # Made when they are first needed: a start of the daemon needs none of them.
        self._adapters: dict[str, TypeAdapter[Any]] = {}

    def encode_job(self, job: J) -> bytes:
        """Writes the first line of the worker's stdin."""
        return bytes(self._adapter(self._job).dump_json(job)) + b"\n"

    def decode_job(self, line: bytes) -> J:
        """Reads that line."""
        job: J = self._adapter(self._job).validate_json(line)
        return job

    def encode_event(self, event: E) -> bytes:
        """Writes a line of the worker's stdout."""
        cls = type(event)
        fields = self._adapter(cls).dump_python(event, mode="json")
        return json.dumps({"event": cls.__name__, **fields}).encode() + b"\n"

    def decode_event(self, line: bytes) -> E:
        """Reads such a line. Raises: ValueError for what is none."""
        fields: Any = json.loads(line)
        try:
            cls = self._events[fields.pop("event")]
            event: E = self._adapter(cls).validate_json(json.dumps(fields))
        except (AttributeError, KeyError, TypeError, ValidationError) as error:
            raise ValueError(f"no event of a worker: {type(error).__name__}") from None
        return event

    def _adapter(self, cls: type[Any]) -> TypeAdapter[Any]:
        if cls.__name__ not in self._adapters:
            self._adapters[cls.__name__] = TypeAdapter(cls)
        return self._adapters[cls.__name__]
