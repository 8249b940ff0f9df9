"""The contract, asked of Azure Blob Storage as Azurite serves it, telemetry off."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import shutil
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

import pytest
from stewardd.repository.backend.all import open_store
from stewardd.repository.backend.store import Store

from tests.contract.conftest import serving
from tests.contract.quarantine_contract import *  # noqa: F403  # the tests
from tests.contract.store_contract import *  # noqa: F403  # the tests

ROOT = Path(__file__).parents[2]
AZURITE = ROOT / "node_modules" / ".bin" / "azurite-blob"

# The emulator's only account; Microsoft publishes its key.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    if not AZURITE.exists() or shutil.which("node") is None:
        pytest.skip("azurite is not installed: it needs npm")
    command = [str(AZURITE), "--disableTelemetry", "--inMemoryPersistence", "--silent"]
    with serving(
        lambda port: [*command, "--blobHost", "127.0.0.1", "--blobPort", str(port)]
    ) as url:
        yield f"{url}/{ACCOUNT}"


@pytest.fixture
def store(endpoint: str) -> Store:
    container = f"steward-{secrets.token_hex(6)}"
    make_container(endpoint, container)
    options = {
        "account_name": ACCOUNT,
        "account_key": KEY,
        "endpoint": endpoint,
        "allow_http": "true",
    }
    return open_store(f"az://{container}/a/prefix", options)


def make_container(endpoint: str, container: str) -> None:
    """Create Container of the Blob service's REST API, by a Shared Key signature."""
    headers = {
        "x-ms-date": format_datetime(datetime.now(UTC), usegmt=True),
        "x-ms-version": "2021-08-06",
    }
    named = "".join(f"{name}:{value}\n" for name, value in sorted(headers.items()))
    resource = f"/{ACCOUNT}/{ACCOUNT}/{container}\nrestype:container"
    text = "PUT\n" + "\n" * 11 + named + resource
    digest = hmac.new(base64.b64decode(KEY), text.encode(), hashlib.sha256).digest()
    headers["Authorization"] = f"SharedKey {ACCOUNT}:{base64.b64encode(digest).decode()}"
    headers["Content-Length"] = "0"
    request = urllib.request.Request(
        f"{endpoint}/{container}?restype=container", method="PUT", headers=headers
    )
    urllib.request.urlopen(request).close()
