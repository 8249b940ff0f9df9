"""A live database, a folder for dump files, and the programs of PostgreSQL 18."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from stewardd.postgres.binaries import wheel_folder
from stewardd.postgres.target import DatabaseTarget

from tests.support.sql import databases, run


@pytest.fixture(scope="module")
def programs() -> Path:
    found = wheel_folder()
    assert found is not None
    return found


@pytest.fixture
def live(embedded_server) -> Iterator[DatabaseTarget]:
    """The configured database; what a test makes beside it is removed."""
    target = embedded_server.target("main", f"live_{secrets.token_hex(4)}")
    admin = embedded_server.target("admin")
    before = databases(admin)
    run(admin, f'CREATE DATABASE "{target.database}"')
    yield target
    for name in databases(admin) - before:
        run(admin, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def inbox(folder: Path) -> Path:
    path = folder / "inbox"
    path.mkdir()
    return path
