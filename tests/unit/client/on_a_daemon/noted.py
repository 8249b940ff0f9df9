"""A real daemon that knows the schemas `note` and `memo`, and a proxy before it for each test.

A `note` has an `id` and a `rating` up to 1. A `memo` has a `key` and a `score` up to 1, in its version 1.1 up to 5.
"""

from __future__ import annotations

import configparser
import itertools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import psycopg
from psycopg.conninfo import make_conninfo
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


def memo(largest: int) -> dict[str, Any]:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A memo",
        "x-steward-effective-date": "2025-01-01",
        "type": "object",
        "required": ["key"],
        "properties": {
            "key": {"type": "string"},
            "score": {"type": "number", "maximum": largest},
        },
    }


def noted_daemon(folder: Path, environment: Mapping[str, str]) -> Daemon:
    """A daemon in that folder, not started, with both schemas; it reads URIs below `inbox` in the folder."""
    documents = {"note/1.0": NOTE, "memo/1.0": memo(1), "memo/1.1": memo(5)}
    for name, document in documents.items():
        path = folder / "schemas" / "csv" / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document))
    (folder / "inbox").mkdir()
    settings = {
        "STEWARDD_VALIDATION__SCHEMA_DIRS": str(folder / "schemas"),
        "STEWARDD_VALIDATION__URI_ROOTS": str(folder / "inbox"),
    }
    return Daemon(folder / "data", environment={**settings, **environment})


def connect(
    daemon: Daemon, database: str = "steward", *, autocommit: bool = False
) -> psycopg.Connection[Any]:
    """Connects to a database of the embedded server of a daemon, as its superuser."""
    services = configparser.RawConfigParser()
    services.read(daemon.data_dir / "pg_service.conf")
    conninfo = make_conninfo("", **{**services["steward"], "dbname": database})
    return psycopg.connect(conninfo, autocommit=autocommit)


class TableLock:
    """Somebody changes a table: a backup of that database of a daemon's embedded server waits until `release`."""

    def __init__(self, daemon: Daemon, database: str = "steward") -> None:
        self._connection = connect(daemon, database)
        self._connection.execute("CREATE TABLE IF NOT EXISTS held (n int)")
        self._connection.commit()
        self._connection.execute("LOCK TABLE held IN ACCESS EXCLUSIVE MODE")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._connection.close()

    def release(self) -> None:
        """Lets the backup go on."""
        self._connection.rollback()


class NotedProxy(CallProxy):
    """A proxy that also tells what came of its own calls. `client` goes past it, straight to the daemon."""

    def __init__(self, daemon: Daemon, *arguments: Any, **keywords: Any) -> None:
        self.client = Client(daemon.address)
        self._last_batch = next(self._batch_names(), None)
        self._last_operation = next(self._operation_names(), None)
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
        """The batches that were published after the proxy was made, oldest first."""
        return _until(self._batch_names(), self._last_batch)[::-1]

    @property
    def operations(self) -> list[str]:
        """The operations that were created after the proxy was made, oldest first."""
        return _until(self._operation_names(), self._last_operation)[::-1]

    def _batch_names(self) -> Iterator[str]:
        return (batch.name for batch in self.client.list_batches(page_size=10))

    def _operation_names(self) -> Iterator[str]:
        return (operation.name for operation in self.client.list_operations(page_size=10))


def _until(names: Iterator[str], end: str | None) -> list[str]:
    return list(itertools.takewhile(lambda name: name != end, names))
