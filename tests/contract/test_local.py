"""The contract, asked of a local folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from stewardd.repository.backend.all import open_store
from stewardd.repository.backend.store import Store

from tests.contract.payload_contract import *  # noqa: F403  # the tests
from tests.contract.quarantine_contract import *  # noqa: F403  # the tests
from tests.contract.store_contract import *  # noqa: F403  # the tests


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path / "repository"))
