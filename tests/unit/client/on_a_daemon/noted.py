"""A real daemon that knows the schema `note` (an `id`, a `rating` up to 1), and a proxy before it for each test."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from steward.v1 import validation_pb2
from steward_client import Client

from tests.support.call_proxy import CallProxy
from tests.support.daemon import Daemon

# Validation needs no database, and a start without the embedded one is quick.
NO_DATABASE = {"STEWARDD_POSTGRES__DATABASES__MAIN__URL": "postgresql://nobody@127.0.0.1:1/nothing"}
NOTE = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "A note",
    "x-steward-effective-date": "2025-01-01",
    "type": "object",
    "required": ["id"],
    "properties": {
        "id": {"type": "string"},
        "rating": {"type": "number", "maximum": 1, "x-steward-pii": True},
    },
}


def noted_daemon(folder: Path, environment: Mapping[str, str]) -> Daemon:
    """A daemon in that folder, not started, that knows `note`; it reads URIs below `inbox` in the folder."""
    path = folder / "schemas" / "csv" / "note" / "1.0.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(NOTE))
    (folder / "inbox").mkdir()
    settings = {
        "STEWARDD_VALIDATION__SCHEMA_DIRS": str(folder / "schemas"),
        "STEWARDD_VALIDATION__URI_ROOTS": str(folder / "inbox"),
    }
    return Daemon(folder / "data", environment={**settings, **environment})


class NotedProxy(CallProxy):
    """A proxy that also tells what came of its own calls. `client` goes past it, straight to the daemon."""

    def __init__(self, daemon: Daemon, *arguments: Any, **keywords: Any) -> None:
        self.client = Client(daemon.address)
        self._before = set(self._names())
        super().__init__(daemon.address, *arguments, **keywords)

    def close(self) -> None:
        super().close()
        self.client.close()

    @property
    def opens(self) -> list[validation_pb2.ValidateBatchRequest.Open]:
        """The Open of each ValidateBatch that came."""
        return [each.open for each in self.of(validation_pb2.ValidateBatchRequest)]

    @property
    def batches(self) -> list[str]:
        """The batches that exist and did not when the proxy was made, oldest first."""
        return [name for name in reversed(self._names()) if name not in self._before]

    def _names(self) -> list[str]:
        return [batch.name for batch in self.client.list_batches()]
