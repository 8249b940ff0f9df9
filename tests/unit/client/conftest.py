"""The contract's server, the clients on it, and the command in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from steward_client import AsyncClient, Client, RetryPolicy

from tests.support.shells import Shells
from tests.unit.client.contract_server import ContractServer

Steward = Callable[..., subprocess.CompletedProcess[str]]
QUICK = RetryPolicy(attempts=5, initial_delay_s=0.01, max_delay_s=0.05)


@pytest.fixture
def server() -> Iterator[ContractServer]:
    with ContractServer() as running:
        yield running


@pytest.fixture
def client(server: ContractServer) -> Iterator[Client]:
    with Client(server.address, retry=QUICK) as connected:
        yield connected


@pytest_asyncio.fixture
async def async_client(server: ContractServer) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(server.address, retry=QUICK) as connected:
        yield connected


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """Three rows, the second with a rating that is too high."""
    path = tmp_path / "notes.csv"
    path.write_text("id,rating\na,0.5\nb,1.5\nc,\n")
    return path


@pytest.fixture
def good_notes(tmp_path: Path) -> Path:
    path = tmp_path / "good.csv"
    path.write_text("id,rating\na,0.5\n")
    return path


@pytest.fixture
def environment(server: ContractServer) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("STEWARD", "_STEWARD"))
    }
    return {**kept, "STEWARD_SERVER": server.address}


@pytest.fixture
def steward(environment: dict[str, str], tmp_path: Path) -> Steward:
    """Runs the command as somebody would, without a terminal."""

    def run(*arguments: object, **settings: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # type: ignore[call-overload, no-any-return]  # noqa: PLW1510 - check is among them
            [sys.executable, "-m", "steward_client.command", *map(str, arguments)],
            **{
                "capture_output": True,
                "text": True,
                "env": environment,
                "cwd": tmp_path,
                "timeout": 60,
                "stdin": subprocess.DEVNULL,
                "check": False,
                **settings,
            },
        )

    return run


@pytest.fixture(params=["plain", "asyncio"])
def shells(request: pytest.FixtureRequest) -> Iterator[Shells]:
    """Makes clients: the plain ones, then the asyncio ones."""
    made = Shells(request.param)
    yield made
    made.close()


@pytest.fixture
def both(shells: Shells, server: ContractServer) -> Any:
    """The plain client, then the asyncio one, on the server."""
    return shells(server.address)
