"""The clients before a real daemon: one for all tests, and a proxy of calls in front of it for each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon import Daemon
from tests.unit.client.on_a_daemon.noted import NO_DATABASE, NotedProxy, noted_daemon


@pytest.fixture(scope="session")
def noted(session_folder: Path) -> Iterator[Daemon]:
    """The daemon that these tests share; each of them sees the batches of the others."""
    folder = session_folder / "noted"
    folder.mkdir(mode=0o711)
    with noted_daemon(folder, NO_DATABASE) as running:
        yield running


@pytest.fixture
def server(noted: Daemon) -> Iterator[NotedProxy]:
    """A proxy of this test's own in front of that daemon."""
    with NotedProxy(noted) as running:
        yield running
