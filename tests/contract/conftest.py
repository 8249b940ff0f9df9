"""The backends that the contract is asked of."""

from __future__ import annotations

from pathlib import Path

import pytest
from stewardd.repository.store import Store, open_store


@pytest.fixture(params=["local"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return open_store(str(tmp_path / "repository"))
