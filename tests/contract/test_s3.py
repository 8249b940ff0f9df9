"""The contract, asked of S3 as moto serves it."""

from __future__ import annotations

import pytest

from tests.contract.bucket_contract import *  # noqa: F403  # the tests
from tests.contract.payload_contract import *  # noqa: F403  # the tests
from tests.contract.quarantine_contract import *  # noqa: F403  # the tests
from tests.contract.store_contract import *  # noqa: F403  # the tests
from tests.support.clouds.cloud import Cloud


@pytest.fixture
def cloud(s3: Cloud) -> Cloud:
    return s3
