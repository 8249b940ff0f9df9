"""A real daemon with a set of its own, and how psql reaches its database."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from steward_client import Client

from tests.support.daemon import Daemon

DATABASE = "embedded"


@dataclass(frozen=True, slots=True)
class Served:
    """A daemon, a client of it, and the parameters of its database for a libpq program."""

    daemon: Daemon
    client: Client
    conninfo: str


@contextmanager
def served(folder: Path, migrations: Path) -> Iterator[Served]:
    """Run a daemon with a set; its data are in a new folder that another account may pass through."""
    settings = {
        "STEWARDD_MIGRATIONS__DIR": str(migrations),
        "STEWARDD_MIGRATIONS__REQUIRE_PROOF": "false",
    }
    with Daemon(folder / "data", environment=settings) as daemon, Client(daemon.address) as client:
        text = (daemon.data_dir / "pg_service.conf").read_text()
        conninfo = " ".join(line for line in text.splitlines() if "=" in line)
        yield Served(daemon, client, conninfo)
